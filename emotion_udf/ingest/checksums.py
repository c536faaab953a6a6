"""The checksum files of Hadoop's local file system, which Spark compares with a file's content and pyarrow does not.

Format: `crc`, a zero byte, the bytes of a chunk as a 32-bit integer, then a CRC-32 for each chunk, all big-endian
(Hadoop's `ChecksumFileSystem`). `.name.crc` belongs to `name`.
"""

import struct
import zlib
from typing import Final

import pyarrow.fs as pafs

_MAGIC: Final = b"crc\0"


def has_other_checksum(system: pafs.FileSystem, path: str) -> bool:
    """Tell whether the checksum file beside a file belongs to another content, as where the file was replaced."""
    folder, _, name = path.rpartition("/")
    with system.open_input_stream(f"{folder}/.{name}.crc") as stream:
        written = stream.read()
    if written[:4] != _MAGIC or len(written) < 8:
        return False  # Hadoop takes no notice of it
    (chunk,) = struct.unpack(">I", written[4:8])
    found = []
    with system.open_input_stream(path) as stream:
        while part := stream.read(chunk):
            found.append(zlib.crc32(part))
    return bool(written[8:] != struct.pack(f">{len(found)}I", *found))
