"""The checksum files of Hadoop's local file system, which Spark compares with a file's content and pyarrow does not.

Format: `crc`, a zero byte, the bytes of a chunk as a 32-bit integer, then a CRC-32 for each chunk, all big-endian
(Hadoop's `ChecksumFileSystem`). `.name.crc` belongs to `name`.
"""

import struct
import zlib
from typing import Final

import pyarrow.fs as pafs

_HEAD: Final = struct.Struct(">4sI")
_MAGIC: Final = b"crc\0"
_LARGEST_CHUNK: Final = 16 * 1024 * 1024  # 512 bytes are usual; Hadoop takes memory for whatever number stands there


def has_broken_checksum(system: pafs.FileSystem, path: str) -> bool:
    """Tell whether what lies in the place of a file's checksums is none: Spark would read the file wrongly, or not."""
    with system.open_input_file(_beside(path)) as stream:
        head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return True
    magic, chunk = _HEAD.unpack(head)
    return bool(magic != _MAGIC or not 0 < chunk <= _LARGEST_CHUNK)


def has_other_checksum(system: pafs.FileSystem, path: str) -> bool:
    """Tell whether a file's checksums, which are not broken, are another content's, as where the file was replaced."""
    with system.open_input_stream(_beside(path)) as stream:
        written = stream.read()
    _, chunk = _HEAD.unpack_from(written)
    found = []
    with system.open_input_stream(path) as stream:
        while part := stream.read(chunk):
            found.append(zlib.crc32(part))
    return bool(written[_HEAD.size :] != struct.pack(f">{len(found)}I", *found))


def _beside(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.crc"
