"""The input's files as their names tell them: the data files of a folder, and the Hive keys of their paths."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from urllib.parse import unquote

import pyarrow.fs as pafs

from emotion_udf.errors import InputError
from emotion_udf.ingest.failures import retried
from emotion_udf.ingest.table_folders import live_files, refuse_part_of_table
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import Folder, in_threads

IsFar = Callable[[str], bool]
"""Tells a folder, by its path relative to the input, that holds nothing of the window."""

_HIVE_NULL: Final = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """A data file.

    Attributes:
        uri: Its name for Spark.
        path: Its path in pyarrow's file system; empty where the name is not UTF-8.
        size: Bytes.
        keys: The Hive keys of its folders, such as `dt` of `dt=2026-10-05/part-0.parquet`.
        above_keys: The URI of the folder that the first key is in; empty without keys.
        is_checksummed: A checksum file of Hadoop lies beside it on a disk, which Spark compares with the content.
    """

    uri: str
    path: str
    size: int
    keys: dict[str, str] = field(default_factory=dict)
    above_keys: str = ""
    is_checksummed: bool = False

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.uri.rpartition("/")[2]

    @property
    def has_readable_name(self) -> bool:
        """Whether Spark can name it: not with a `:` on a local disk, and not in a folder such as `source=`."""
        is_local = self.uri.startswith("file:")
        return self.path != "" and not (is_local and ":" in self.name) and all(k and v for k, v in self.keys.items())

    @property
    def has_encoded_keys(self) -> bool:
        """Whether the keys' values are UTF-8 in percent-encoding, which Spark would decode as Latin-1."""
        return self.uri.isascii() and not all(value.isascii() for value in self.keys.values())

    def day(self, settings: InputSettings) -> date | None:
        """Return the day that its folder is named for, None where it tells none."""
        return day_of_keys(self.keys, settings)

    def is_outside_date_folders(self, settings: InputSettings) -> bool:
        """Tell a file that lies in no date folder, where the settings say that all do."""
        if settings.date_partition is None or self.keys.get(settings.date_partition) == _HIVE_NULL:
            return False
        return self.day(settings) is None


@dataclass(frozen=True)
class Listing:
    """The data files of an input, in the order of their paths.

    Attributes:
        files: The files.
        is_whole: Whether all folders were looked into.
    """

    files: list[InputFile]
    is_whole: bool = True


def list_files(root: Folder, is_far: IsFar | None = None) -> Listing:
    """List the data files of an input.

    Names that begin with `_` or `.` are not data, as in Spark. Of a Delta table only the files of its newest version
    are.

    Args:
        root: The input's file or folder.
        is_far: Tells folders that nobody needs to look into, of which an input that grows has more each night.

    Raises:
        InputError: There is no such place or no data file in it, or it is a table that cannot be read as files.
        StorageError: The storage does not answer.
    """
    try:
        info = retried(root.info)
    except PermissionError as error:
        raise _no_permission(root, error) from error
    if info.type == pafs.FileType.NotFound:
        raise InputError(f"expected input at {root.uri}, found nothing; check input.path")
    refuse_part_of_table(root)
    if info.type == pafs.FileType.File:
        return Listing([_single_file(root, info)])
    found, left_out = _list(root, is_far)
    live = live_files(root, {relative: file.keys for relative, file in found.items()}, left_out)
    data = [file for relative, file in found.items() if file.size >= 0 and _is_data(relative)]
    if live is not None:
        data = [file for file in data if file.path.removeprefix(root.path).lstrip("/") in live]
    if not data and live is None and not left_out:
        raise InputError(
            f"expected Parquet files in {root.uri}, found none; check input.path and the job that writes it"
        )
    return Listing(sorted(data, key=lambda file: file.path), is_whole=not left_out)


def _single_file(root: Folder, info: pafs.FileInfo) -> InputFile:
    name = info.base_name
    if not _is_data(name):
        raise InputError(
            f"expected a file name that does not begin with _ or . and does not end in ._COPYING_, found {root.uri}, "
            "which Spark takes for hidden and reads as no rows; rename it, or name its folder in input.path"
        )
    parent = root.path.rpartition("/")[0]
    checksum = retried(lambda: root.system.get_file_info(f"{parent}/.{name}.crc"))
    is_checksummed = root.uri.startswith("file:") and checksum.type == pafs.FileType.File
    return InputFile(root.uri, info.path, info.size, is_checksummed=is_checksummed)


def _list(root: Folder, is_far: IsFar | None) -> tuple[dict[str, InputFile], list[str]]:
    """Return everything below a folder by its relative path; what is no file, such as a folder, has the size -1.

    Returns:
        What there is, and the folders among it that were not looked into.
    """
    try:
        walked = retried(lambda: _walk(root, is_far)) if is_far else None
        selector = pafs.FileSelector(root.path, recursive=True)
        infos, left_out = walked or (retried(lambda: root.system.get_file_info(selector)), [])
    except PermissionError as error:
        raise _no_permission(root, error) from error
    names: dict[str, pafs.FileInfo] = {}
    unnamed = 0
    for info in infos:
        try:
            names[info.path.removeprefix(root.path).lstrip("/")] = info
        except UnicodeDecodeError:  # pyarrow cannot tell where it is, so it can only be counted
            unnamed += info.type == pafs.FileType.File
    listed = {}
    for relative, info in names.items():
        size = info.size if info.type == pafs.FileType.File else -1
        folder, _, name = relative.rpartition("/")
        checksum = f"{folder}/.{name}.crc".lstrip("/")
        above, keys = hive_keys(relative)
        above_keys = f"{root.uri}/{above}".rstrip("/") if keys else ""
        is_checksummed = root.uri.startswith("file:") and checksum in names
        listed[relative] = InputFile(f"{root.uri}/{relative}", info.path, size, keys, above_keys, is_checksummed)
    for number in range(1, unnamed + 1):
        name = f"(a name that is not UTF-8, {number} of {unnamed})"
        listed[name] = InputFile(f"{root.uri}/{name}", "", 0)
    return listed, left_out


def _walk(root: Folder, is_far: IsFar) -> tuple[list[pafs.FileInfo], list[str]] | None:
    """List a folder level by level, without what is in folders that are far.

    Returns:
        What there is, and the relative paths of these folders; None where a folder's name is not UTF-8: it cannot be
        asked for, only listed with all others.
    """
    found: list[pafs.FileInfo] = []
    left_out: list[str] = []
    folders = [root.path]
    while folders:
        listed = in_threads(lambda folder: root.system.get_file_info(pafs.FileSelector(folder)), folders)
        level = [info for of_folder in listed for info in of_folder]
        found += level
        try:
            below = [info.path for info in level if info.type == pafs.FileType.Directory]
        except UnicodeDecodeError:
            return None
        relative = {path: path.removeprefix(root.path).lstrip("/") for path in below}
        far = [path for path in below if is_far(relative[path])]
        folders = sorted(set(below).difference(far))
        left_out += [relative[path] for path in far]
    return found, left_out


def _no_permission(root: Folder, error: PermissionError) -> InputError:
    place = re.search(r"'(.+)'", str(error))  # pyarrow names it there alone
    return InputError(
        f"expected to list {root.uri} with all its folders, found {place[1] if place else 'one'} closed to this user; "
        "let the job's user read it, or move it out of input.path"
    )


def _is_data(relative: str) -> bool:
    """Tell data files by the names that Spark reads."""
    parts = relative.split("/")
    hidden = any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts)
    return not hidden and not relative.endswith("._COPYING_")


def day_of_keys(keys: Mapping[str, str], settings: InputSettings) -> date | None:
    """Return the day of a folder's Hive keys, None where they tell none."""
    try:
        return datetime.strptime(keys.get(settings.date_partition or "", ""), "%Y-%m-%d").date()
    except ValueError:
        return None


def hive_keys(relative: str) -> tuple[str, dict[str, str]]:
    """Read the Hive keys of a path such as `shop/source=tweet/dt=2026-10-05/part-0.parquet`.

    As Spark does, from the file upwards: a folder that is no key ends them where one was found below it.

    Returns:
        The folder above the first key, here `shop`, and the keys with their values.
    """
    folders = relative.split("/")[:-1]
    keys: dict[str, str] = {}
    while folders and ("=" in folders[-1] or not keys):
        key, equals, value = folders.pop().partition("=")
        if equals:
            name = unquote(key)
            is_new = name.lower() not in map(str.lower, keys)
            keys[name if is_new else ""] = unquote(value)  # Spark refuses a key that is there twice, and an empty one
    return "/".join(folders), dict(reversed(keys.items()))
