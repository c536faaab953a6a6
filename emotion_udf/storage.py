"""Files outside Spark: the driver's view of a folder, local or on an object store, through pyarrow's file systems."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlparse

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from emotion_udf.errors import UsageError
from emotion_udf.masking import holds_secret
from emotion_udf.object_store import TIMEOUT_S, client_options, open_s3

_THREADS: Final = 16

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Folder:
    """A folder (or a single file) by its three names: Spark's, delta-rs's and pyarrow's.

    Attributes:
        uri: The name for Spark, always with a scheme.
        system: The pyarrow file system that holds it.
        path: Its path in that file system.
        delta_options: What delta-rs has to know of an object store; nothing of a disk.
    """

    uri: str
    system: pafs.FileSystem
    path: str
    delta_options: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def delta_uri(self) -> str:
        """The name for delta-rs: a plain path on a local disk, `s3://` where Spark says `s3a://`."""
        return self.path if is_local(self) else _without_hadoop_scheme(self.uri)

    def __truediv__(self, name: str) -> "Folder":
        if not is_below(name):
            raise UsageError(
                f"expected the name of something below {self.uri}, found {name!r}; nothing is done with it"
            )
        return replace(self, uri=f"{self.uri}/{name}", path=f"{self.path}/{name}")

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

    def make(self) -> None:
        """Make the folder on a disk; an object store needs none, and some keep an empty one for ever."""
        if not isinstance(self.system, pafs.S3FileSystem):
            self.system.create_dir(self.path, recursive=True)

    def remove(self) -> None:
        """Delete the folder with all in it; no matter if there is none, or if another deletes it too.

        Raises:
            UsageError: A link leads elsewhere.
        """
        self.require_own()
        with suppress(FileNotFoundError):
            self.system.delete_dir(self.path)

    def require_own(self) -> None:
        """Check that no link leads from the path to another place, before something is deleted there.

        Raises:
            UsageError: One does.
        """
        # The root that the settings name has no links in it any more (see `canonical`).
        if is_local(self) and os.path.realpath(self.path) != self.path:
            raise leads_elsewhere(self.path)


def is_local(folder: Folder) -> bool:
    """Tell a folder on a disk of this machine, or one that is mounted like one, from an object store's."""
    return isinstance(folder.system, pafs.LocalFileSystem)


def is_below(name: str) -> bool:
    """Tell whether a relative name, of one step or more, stays below the folder that it is put behind."""
    return all(step not in ("", ".", "..") for step in name.split("/"))


def leads_elsewhere(link: str) -> UsageError:
    """Return the error of a link below a folder in which files are deleted."""
    return UsageError(
        f"expected {link} to be a place of its own, found a link to {os.path.realpath(link)}; nothing is deleted "
        "behind it: put the folder itself there, or name another root in the settings"
    )


def open_folder(location: str, timeout_s: int = TIMEOUT_S) -> Folder:
    """Open a local path or a URI such as `s3a://bucket/folder`; nothing has to be there yet.

    What follows a `?` in a URI, such as `?region=eu-central-1`, is for the driver's clients alone: Spark would take it
    for a name.

    Args:
        location: The path or URI.
        timeout_s: Seconds of silence after which a request to an object store is given up; it is made three times.

    Raises:
        UsageError: It is a URI of a file system that is not known here, or one that Spark and pyarrow would read
            differently.
        StorageError: The region of a bucket is given nowhere, and AWS does not tell it.
    """
    place = canonical(location)
    if place.startswith("/"):
        return Folder(f"file://{place}", pafs.LocalFileSystem(), place)
    uri = _without_hadoop_scheme(location.rstrip("/"))
    if uri.startswith("s3://"):
        return Folder(place, *open_s3(uri, timeout_s))
    try:
        system, path = pafs.FileSystem.from_uri(uri)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise UsageError(
            f"expected a local path or a URI such as s3a://bucket/folder, found {location!r}, which pyarrow cannot open"
        ) from error
    return Folder(place, system, path, client_options(timeout_s))


def canonical(location: str) -> str:
    """Return the one spelling of a place: an absolute local path without links, or a URI without its options.

    Raises:
        UsageError: Spark, delta-rs and Python would take it for different places, or it has a password in it.
    """
    if holds_secret(location):
        raise UsageError(
            f"expected a place without a password or a key in it, found {location!r}; the storage's clients take them "
            "from the environment or a file (docs/operations.md, Security)"
        )
    if location != location.strip() or not location.isprintable():
        raise _misread(location, "it begins or ends with a blank, or holds a character that cannot be seen")
    if location.startswith("~"):
        raise _misread(location, "only a shell knows what ~ stands for; write the whole path")
    scheme = _SCHEME.match(location)
    if scheme is None:
        return str(Path(location).resolve())
    if scheme[1].lower() == "file":
        path = location[len(scheme[0]) :]
        if not path.startswith("/") or (path.startswith("//") and not path.startswith("///")):
            raise _misread(location, "three slashes stand before a path, as in file:///folder")
        return str(Path("/" + path.lstrip("/")).resolve())
    rest = location[len(scheme[0]) :].partition("?")[0].rstrip("/")
    if not rest.startswith("//"):
        raise _misread(
            location,
            f"slashes are missing; write {scheme[1]}:///folder or {scheme[1]}://server/folder, or the whole path of a "
            "local folder",
        )
    if re.search(r"[%#\\]|/\.{1,2}(/|$)", rest):
        raise _misread(location, "it holds one of % # \\ or a step such as /../")
    return f"{scheme[1]}:{rest}"


def _misread(location: str, reason: str) -> UsageError:
    return UsageError(f"expected a place that Spark, delta-rs and Python read alike, found {location!r}: {reason}")


def is_inside(location: str, folder: str) -> bool:
    """Tell whether a place is a folder itself or lies below it."""
    inner, outer = (_without_hadoop_scheme(canonical(place)) for place in (location, folder))
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


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
        try:
            return list(pool.map(function, items))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # one error is enough, however many items wait
            raise
