"""Files outside Spark: the driver's view of a folder, local or on an object store, through pyarrow's file systems."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlparse

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from emotion_udf.errors import UsageError

_THREADS: Final = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Folder:
    """A folder (or a single file) by its three names: Spark's, delta-rs's and pyarrow's.

    Attributes:
        uri: The name for Spark, always with a scheme.
        system: The pyarrow file system that holds it.
        path: Its path in that file system.
    """

    uri: str
    system: pafs.FileSystem
    path: str

    @property
    def delta_uri(self) -> str:
        """The name for delta-rs: a plain path on a local disk, `s3://` where Spark says `s3a://`."""
        return self.path if isinstance(self.system, pafs.LocalFileSystem) else _without_hadoop_scheme(self.uri)

    def __truediv__(self, name: str) -> "Folder":
        return Folder(f"{self.uri}/{name}", self.system, f"{self.path}/{name}")

    def exists(self) -> bool:
        """Tell whether there is a file or a folder."""
        return bool(self.info().type != pafs.FileType.NotFound)

    def info(self) -> pafs.FileInfo:
        """Return its type, size and time."""
        return self.system.get_file_info(self.path)

    def children(self) -> list[pafs.FileInfo]:
        """List what lies directly inside; nothing when there is no such folder."""
        found: list[pafs.FileInfo] = self.system.get_file_info(pafs.FileSelector(self.path, allow_not_found=True))
        return sorted(found, key=lambda info: info.path)

    def remove(self) -> None:
        """Delete the folder with all in it; no matter if there is none, or if another deletes it too."""
        with suppress(FileNotFoundError):
            self.system.delete_dir(self.path)


def open_folder(location: str) -> Folder:
    """Open a local path or a URI such as `s3a://bucket/folder`; nothing has to be there yet.

    Raises:
        UsageError: It is a URI of a file system that is not known here.
    """
    if location.startswith("file:"):
        location = "/" + location.removeprefix("file:").lstrip("/")
    if "://" not in location:
        path = str(Path(location).resolve())
        return Folder(f"file://{path}", pafs.LocalFileSystem(), path)
    location = location.rstrip("/")
    try:
        system, path = pafs.FileSystem.from_uri(_without_hadoop_scheme(location))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise UsageError(
            f"expected a local path or a URI such as s3a://bucket/folder, found {location!r}, which pyarrow cannot open"
        ) from error
    return Folder(location, system, path)


def _without_hadoop_scheme(uri: str) -> str:
    scheme = urlparse(uri).scheme
    return uri.replace(f"{scheme}://", "s3://", 1) if scheme in ("s3a", "s3n") else uri


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file and the facts of its footer.

    Attributes:
        path: Relative to the folder that was listed.
        size: Bytes.
        rows: Rows.
        modified_ms: Milliseconds since 1970.
    """

    path: str
    size: int
    rows: int
    modified_ms: int

    @property
    def delta_stats(self) -> str:
        """The statistics of a Delta add action, as JSON."""
        return json.dumps({"numRecords": self.rows})


def list_parquet(folder: Folder) -> list[ParquetFile]:
    """List the Parquet files below `folder` with their row counts, in the order of their paths."""
    selector = pafs.FileSelector(folder.path, recursive=True, allow_not_found=True)
    infos = [info for info in folder.system.get_file_info(selector) if info.path.endswith(".parquet")]

    def read(info: pafs.FileInfo) -> ParquetFile:
        rows = pq.read_metadata(info.path, filesystem=folder.system).num_rows
        return ParquetFile(
            info.path.removeprefix(folder.path).lstrip("/"), info.size, rows, int(info.mtime.timestamp() * 1000)
        )

    return sorted(in_threads(read, infos), key=lambda file: file.path)


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call `function` on each item, many at a time: on an object store each call waits for the network."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, items))
