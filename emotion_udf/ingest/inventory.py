"""The input's files, looked at before Spark opens them.

Spark reads an empty file as no rows, fills a missing column with nulls, and fails the whole read for one damaged
file or one deviating type. So the driver reads every footer first: a file that cannot be read is set aside with its
reason, one that holds no row of the window has no say, and the others are read in groups of one form.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property, partial
from typing import Final

from pyspark.sql.types import StringType, StructType

from emotion_udf.errors import InputError
from emotion_udf.ingest.checksums import has_broken_checksum
from emotion_udf.ingest.contract import contract_error, contract_problems, needed_columns
from emotion_udf.ingest.failures import READ_ERRORS, cause_of, retried
from emotion_udf.ingest.footers import Footer, count_window_rows, read_footer
from emotion_udf.ingest.groups import ReadGroup, group_files, whole_schema
from emotion_udf.ingest.listing import InputFile, day_of_keys, hive_keys, list_files
from emotion_udf.ingest.memory import MOST, ReadLimits
from emotion_udf.plans import FEW_BYTES, FEW_ROWS
from emotion_udf.schemas import Reason
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import Folder, in_threads
from emotion_udf.window import Window

log = logging.getLogger(__name__)

# A folder that is named for the day of arrival can hold messages of the day before or after, in another time zone.
_PARTITION_SLACK: Final = timedelta(days=1)

_NAMED: Final = 5
"""Files that a message names; the quarantine names them all."""


@dataclass(frozen=True)
class RefusedFile:
    """A file that cannot be read.

    Attributes:
        uri: The file.
        reason: Why it is refused.
        footer: What its footer says, where it could be read.
    """

    uri: str
    reason: Reason
    footer: Footer | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Inventory:
    """The input's files.

    Attributes:
        root: The input's file or folder; None for a catalog table, whose files are not known here.
        settings: What its columns are called.
        window: The days of the run.
        footers: The files to read.
        refused: The files that can hold messages of the window and are not read, with reasons.
        size: Bytes of all files that can hold messages of the window, the refused ones included.
    """

    root: Folder | None
    settings: InputSettings
    window: Window
    footers: Sequence[Footer] = ()
    refused: Sequence[RefusedFile] = ()
    size: int = 0

    @property
    def files(self) -> list[str]:
        """URIs of the files to read."""
        return [footer.file.uri for footer in self.footers]

    @property
    def candidates(self) -> int:
        """How many files can hold messages of the window: those to read, and the refused ones."""
        return len(self.footers) + len(self.refused)

    @property
    def expected_rows(self) -> int | None:
        """The rows of the window in the files to read, counted without Spark; None for a catalog table."""
        return None if self.root is None else sum(footer.window_rows for footer in self.footers)

    @property
    def is_small(self) -> bool:
        """Whether the window has few rows (see `plans`); not of a catalog table."""
        rows = self.expected_rows
        return rows is not None and rows <= FEW_ROWS and self.window_bytes <= FEW_BYTES

    @property
    def window_bytes(self) -> float:
        """Bytes of the window's rows before compression, as long as they are in their files' largest row groups."""
        return sum(footer.window_rows * sum(footer.bytes_per_row.values()) for footer in self.footers)

    @cached_property
    def groups(self) -> list[ReadGroup]:
        """The files to read by their form."""
        return group_files(self.footers, self.settings)

    @cached_property
    def schema(self) -> StructType:
        """The columns of a whole row: those of every group, as a string where groups have different types."""
        return whole_schema(self.groups, self.settings)

    def without(self, failed: Mapping[str, Reason]) -> "Inventory":
        """Set files aside that turned out to be unreadable.

        Raises:
            InputError: No other file is left.
        """
        kept = [footer for footer in self.footers if footer.file.uri not in failed]
        found = [RefusedFile(f.file.uri, failed[f.file.uri], f) for f in self.footers if f.file.uri in failed]
        own = [file for file in found if file.footer and is_own(file.footer.file, self.settings, self.window)]
        _warn(found)
        inventory = replace(self, footers=kept, refused=[*self.refused, *own])
        _check_any_left(inventory)
        return inventory


def take_inventory(root: Folder, settings: InputSettings, window: Window, limits: ReadLimits = MOST) -> Inventory:
    """List the Parquet files of `root` that can hold messages of the window.

    Args:
        root: The input's file or folder.
        settings: The columns that are needed, and how folders are named.
        window: The days of the run.
        limits: How large a file's pages may be.

    Raises:
        InputError: There is no such place, no Parquet file, none that can be read, or no file has the columns that
            the settings name.
        StorageError: The storage does not answer.
    """
    listing = list_files(root, partial(_is_far, settings, window) if settings.date_partition else None)
    files = listing.files
    if files and listing.is_whole and all(file.is_outside_date_folders(settings) for file in files):
        raise InputError(
            f"expected folders {settings.date_partition}=YYYY-MM-DD in {root.uri}, as input.date_partition says, "
            "found none; correct or remove input.date_partition"
        )
    near = [file for file in files if _is_near(file.day(settings), window)]
    found = list(zip(near, in_threads(lambda file: _examine(root, file, settings, window, limits), near), strict=True))
    _warn([examined for _, examined in found if isinstance(examined, RefusedFile)])
    refused = [(f, e) for f, e in found if isinstance(e, RefusedFile) and is_own(f, settings, window)]
    footers = [(f, e) for f, e in found if isinstance(e, Footer)]
    size = sum(file.size for file, _ in [*footers, *refused])
    inventory = Inventory(root, settings, window, [e for _, e in footers], [e for _, e in refused], size)
    _check_any_left(inventory)
    _warn_of_missing_dimensions(inventory)
    return inventory


def name_files(refused: Sequence[RefusedFile]) -> str:
    """Name refused files with their reasons: the first few, and how many more there are."""
    named = [f"{file.uri.rpartition('/')[2]} ({file.reason.value})" for file in refused[:_NAMED]]
    more = len(refused) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _warn(refused: Sequence[RefusedFile]) -> None:
    if refused:
        log.warning("%d input files cannot be read and are left out: %s", len(refused), name_files(refused))


def _is_near(day: date | None, window: Window) -> bool:
    """Tell whether a folder's day is near the window; files of a folder that tells no day may hold anything."""
    return day is None or window.first - _PARTITION_SLACK <= day <= window.last + _PARTITION_SLACK


def _is_far(settings: InputSettings, window: Window, folder: str) -> bool:
    """Tell a folder that is named for a day far from the window; an input has more of them each night."""
    _, keys = hive_keys(f"{folder}/")
    return not _is_near(day_of_keys(keys, settings), window)


def is_own(file: InputFile, settings: InputSettings, window: Window) -> bool:
    """Tell files that are expected to hold the window from those of a neighbouring day, which may be half written."""
    day = file.day(settings)
    return day is None or window.first <= day <= window.last


def _examine(
    root: Folder, file: InputFile, settings: InputSettings, window: Window, limits: ReadLimits
) -> Footer | RefusedFile | None:
    """Return what is known of a file, None where it certainly holds no row of the window."""
    if file.is_outside_date_folders(settings):
        return RefusedFile(file.uri, Reason.SCHEMA_MISMATCH)
    if not file.has_readable_name:
        return RefusedFile(file.uri, Reason.UNREADABLE_NAME)
    time_column = settings.columns.created_at
    # A row without a time belongs to its folder's day, or to each night where no folder tells one.
    undated = is_own(file, settings, window)
    try:
        footer = retried(lambda: read_footer(root.system, file, time_column))
        if footer is None:
            return RefusedFile(file.uri, Reason.SCHEMA_MISMATCH)
        if footer.is_outside(window, undated):
            return None
        if file.is_checksummed and retried(lambda: has_broken_checksum(root.system, file.path)):
            return RefusedFile(file.uri, Reason.CHECKSUM_MISMATCH, footer)
        present = footer.columns | dict.fromkeys(file.keys, StringType())
        if footer.stored is None or contract_problems(present, settings, may_lack_dimensions=True):
            return RefusedFile(file.uri, Reason.SCHEMA_MISMATCH, footer)
        if footer.is_too_large(needed_columns(settings), limits.page):
            return RefusedFile(file.uri, Reason.VALUE_TOO_LONG, footer)
        rows = retried(lambda: count_window_rows(root.system, footer, time_column, window, undated))
        return replace(footer, window_rows=rows)
    except READ_ERRORS as error:
        return RefusedFile(file.uri, cause_of(error) or Reason.UNREADABLE_FILE)


def _check_any_left(inventory: Inventory) -> None:
    """Stop a night of which no file is left to read, although some could hold its messages."""
    refused = inventory.refused
    if inventory.footers or not refused or inventory.root is None:
        return
    deviating = [file.footer for file in refused if file.reason == Reason.SCHEMA_MISMATCH and file.footer]
    if len(deviating) == len(refused):
        present = deviating[0].columns | dict.fromkeys(deviating[0].file.keys, StringType())
        raise contract_error(contract_problems(present, inventory.settings), present, inventory.root.uri)
    raise InputError(
        f"expected Parquet files in {inventory.root.uri}, found {len(refused)} that cannot be read and no other that "
        f"can hold the window: {name_files(refused)}; check the job that writes them"
    )


def _warn_of_missing_dimensions(inventory: Inventory) -> None:
    """Say which dimensions are null all night: the setting may name no column of the input at all."""
    for name, column in inventory.settings.dimensions.items():
        if inventory.footers and not any(column in f.columns or column in f.file.keys for f in inventory.footers):
            log.warning(
                "no input file has the column %r that input.dimensions.%s names; it is null tonight", column, name
            )
