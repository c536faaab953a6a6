"""The messages of a window as a night checks them, also for jobs that are no night: audits, comparisons of models."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from emotion_udf.ingest.attempts import find_input, write_window
from emotion_udf.ingest.surroundings import check_surroundings
from emotion_udf.schemas import checked_schema
from emotion_udf.settings.nightly import InputSettings, NightSettings
from emotion_udf.steps.pseudonymise import Pseudonyms, pseudonymise, read_pseudonyms
from emotion_udf.steps.score import with_text_key
from emotion_udf.steps.validate import validate
from emotion_udf.storage import Folder
from emotion_udf.tables.parquet import read_rows, write_rows
from emotion_udf.window import Window


@dataclass(frozen=True)
class Text:
    """The text of a message.

    Attributes:
        text: Its start.
        text_key: Names the whole text.
    """

    text: str
    text_key: str


def checked(rows: DataFrame, settings: InputSettings, pseudonyms: Pseudonyms | None) -> DataFrame:
    """Return raw rows as `checked_schema()`: pseudonyms first, then the reasons for which a row is refused."""
    return validate(pseudonymise(rows, settings, pseudonyms), settings)


def accepted(rows: DataFrame, settings: NightSettings) -> DataFrame:
    """Return what a night accepts of raw rows, of `checked_schema()`: with the ids that the tables have."""
    return checked(rows, settings.input, read_pseudonyms(settings.input)).where(F.size("reasons") == 0)


def stage_accepted(
    spark: SparkSession, settings: NightSettings, window: Window, folder: Folder
) -> tuple[DataFrame, int]:
    """Write a window's accepted messages into a staging folder; return them and how many there are.

    Raises:
        InputError: The input does not meet its contract.
        StorageError: The storage does not answer.
    """
    check_surroundings(spark, settings, window)
    inventory = find_input(spark, settings.input, window)
    _, count = write_window(spark, inventory, lambda rows: write_rows(accepted(rows, settings), folder), folder.remove)
    return read_rows(spark, folder, checked_schema(settings.dimensions)), count


def find_texts(
    spark: SparkSession, settings: NightSettings, window: Window, ids: Collection[str], most_chars: int
) -> dict[tuple[date, str], Text]:
    """Read the texts of some messages from the input; nothing of them is written.

    Args:
        spark: The session.
        settings: The night's settings.
        window: The days of the messages.
        ids: Their ids, as the tables have them.
        most_chars: How much of a text is returned.

    Returns:
        The texts by date and id, of those messages that the input still has.

    Raises:
        InputError: The input does not meet its contract.
        StorageError: The storage does not answer.
    """
    check_surroundings(spark, settings, window)
    found: list[Row] = []

    def collect(rows: DataFrame) -> int:
        wanted = with_text_key(accepted(rows, settings), shared=True).where(F.col("feedback_id").isin(list(ids)))
        start = F.substring("text", 1, most_chars).alias("text")
        found.extend(wanted.select("event_date", "feedback_id", "text_key", start).collect())
        return len(found)

    write_window(spark, find_input(spark, settings.input, window), collect, found.clear)
    return {(row.event_date, row.feedback_id): Text(row.text, row.text_key) for row in found}
