"""Settings of the nightly job, `conf/nightly.toml`."""

import hashlib
import math
import re
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, field_validator, model_validator

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError
from emotion_udf.object_store import TIMEOUT_S
from emotion_udf.schemas import RESERVED_COLUMNS
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.monitoring import MonitoringSettings
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.settings.section import Section
from emotion_udf.storage import canonical, is_inside

_AFTERWARDS = {"dashboard", "postgres", "monitoring"}
"""The sections that change nothing of what a night publishes."""


def _time_zone(name: str) -> str:
    # Names such as posix/UTC or localtime are files of Python's machine, and no zones to Java.
    if name not in available_timezones():
        raise ValueError("expected an IANA time zone such as UTC or Europe/Berlin")
    return name


def _place(location: str | None) -> str | None:
    if location is not None:
        try:
            canonical(location)
        except UsageError as error:
            raise ValueError(str(error)) from error
    return location


def _plain_place(location: str | None) -> str | None:
    if location is not None and re.search(r"[{}\[\]*?\\]", location.partition("://")[2] or location):
        raise ValueError(
            "expected none of { } [ ] * ? \\, which Spark reads as a pattern (a ? also stands for a letter that "
            "spark-submit could not read, where LC_ALL=C.UTF-8 is not set)"
        )
    return _place(location)


def _table_name(name: str | None) -> str | None:
    part = r"(\w+|`[^`/\\\x00-\x1f\x7f]+`)"
    if name is not None and not re.fullmatch(rf"{part}(\.{part})*", name):
        raise ValueError("expected a name such as lake.feedback, parts with other characters in backticks")
    return name


def _column_names(dimensions: dict[str, str]) -> dict[str, str]:
    for name in dimensions:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"expected lower-case words joined by _ for the dimension {name!r}")
    return dimensions


Timeout = Annotated[
    int,
    Field(
        ge=1,
        description="seconds of silence after which a request of the driver to an object store is given up; each is "
        "made three times",
    ),
]


class ColumnSettings(Section):
    """The names that the input gives to what the job needs."""

    id: str = Field(
        default="id", min_length=1, description="what names a message: a string, an integer, a decimal or binary"
    )
    text: str = Field(default="text", min_length=1, description="the message, a string")
    created_at: str = Field(
        default="created_at", min_length=1, description="when it was written, a timestamp of any unit"
    )


class InputSettings(Section):
    """The source of the messages. Exactly one of `path` and `table` is given."""

    path: Annotated[str | None, AfterValidator(_place)] = Field(
        default=None, min_length=1, description="a Parquet file or folder, Hive-style partitions included"
    )
    table: Annotated[str | None, AfterValidator(_table_name)] = Field(
        default=None, description="a table of Spark's catalog, such as lake.feedback"
    )
    columns: ColumnSettings = ColumnSettings()
    dimensions: Annotated[dict[str, str], AfterValidator(_column_names)] = Field(
        default={}, description="columns to keep and to aggregate by: name in the tables = name in the input"
    )
    date_partition: str | None = Field(
        default=None,
        description="the Hive partition key that holds the message's date; folders far from the window stay shut",
    )
    max_text_chars: int = Field(default=100_000, ge=1, description="longer messages go to quarantine")
    pseudonymise: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="columns of the input, such as the id and the author, whose values no table shows: each value is "
        "replaced by its HMAC, whose key is in the environment variable EMOTION_UDF_PSEUDONYM_KEY",
    )
    pseudonym_key_file: str | None = Field(
        default=None, min_length=1, description="a file that holds this key, in the variable's place"
    )
    timeout_s: Timeout = TIMEOUT_S

    @model_validator(mode="after")
    def _pseudonyms_of_names(self) -> "InputSettings":
        needed = {self.columns.text.lower(), self.columns.created_at.lower(), (self.date_partition or "").lower()}
        for name in self.pseudonymise:
            if name.lower() in needed:
                raise ValueError(f"expected ids and authors in input.pseudonymise, found {name}, which the job reads")
        return self

    @model_validator(mode="after")
    def _one_place(self) -> "InputSettings":
        if (self.path is None) == (self.table is None):
            raise ValueError("expected exactly one of input.path and input.table")
        return self


class WindowSettings(Section):
    """The meaning of a date."""

    timezone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC", description="the zone whose days are counted"
    )


Reuse = Literal["off", "night", "history"]


class ScoreSettings(Section):
    """Texts that are not scored again."""

    reuse: Reuse = Field(
        default="history",
        description="off scores every message, night a text once a run, history only texts that no earlier run has "
        "scored with this model; it keeps their scores in text_scores, by a hash of the text",
    )
    history_days: int | None = Field(
        default=None,
        ge=1,
        description="with history: how many days before the window a text may have been scored, so that what a night "
        "looks through does not grow for ever; by default any number, and no text is ever scored twice",
    )


class LabelSettings(Section):
    """The step from probabilities to labels."""

    min_confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="is_confident is true from this confidence on; the model's own threshold by default, or 0.5",
    )


class TermSettings(Section):
    """The words that messages of an emotion use."""

    enabled: bool = Field(
        default=True, description="write emotion_terms; without it the table has no rows of the night"
    )
    dimensions: list[str] | None = Field(
        default=None, max_length=2, description="dimensions to count them by, at most two; the first two by default"
    )
    min_texts: int = Field(
        default=5, ge=2, description="the fewest different texts that share a term, a date and an emotion"
    )


class WarehouseSettings(Section):
    """The tables: Delta tables below a root, or tables of Spark's own catalog."""

    format: Literal["delta", "catalog"] = Field(
        default="delta",
        description="delta: Delta tables below root, which need no jar; catalog: tables of Spark's own catalog, of "
        "Iceberg, Hive or what else the site has there",
    )
    root: Annotated[str, AfterValidator(_plain_place)] = Field(
        min_length=1,
        description="the folder of the tables; of a catalog's, the folder of text_scores and of what is on its way",
    )
    namespace: Annotated[str | None, AfterValidator(_table_name)] = Field(
        default=None, description="of format catalog: the catalog and the schema of the tables, such as lake.emotions"
    )
    using: str | None = Field(
        default=None,
        pattern=r"^\w+$",
        description="of format catalog: what tables are made of that are not there yet, such as iceberg or parquet; "
        "what the catalog itself takes by default",
    )
    keep_text: bool = Field(default=False, description="copy the message's text to emotion_labels")
    timeout_s: Timeout = TIMEOUT_S

    @model_validator(mode="after")
    def _namespace_of_a_catalog(self) -> "WarehouseSettings":
        if (self.format == "catalog") != (self.namespace is not None):
            raise ValueError(
                'expected warehouse.namespace, such as lake.emotions, where warehouse.format is "catalog", only there'
            )
        if self.using is not None and self.format != "catalog":
            raise ValueError('expected warehouse.using only where warehouse.format is "catalog"')
        return self

    @property
    def default_staging(self) -> str:
        """The staging folder where the settings name none."""
        return f"{self.root.rstrip('/')}/_staging"

    def require_delta(self, reader: str) -> None:
        """Check that the tables are Delta tables below `root`, which some jobs read without Spark.

        Args:
            reader: What reads them, for the message.

        Raises:
            UsageError: They are a catalog's.
        """
        if self.format != "delta":
            raise UsageError(
                f'expected warehouse.format "delta" for {reader}, found "{self.format}": its tables are those of '
                f"{self.namespace} in Spark's catalog, which {reader} does not read; docs/catalogs.md says what the "
                "catalog has in its place"
            )


class StagingSettings(Section):
    """The place of message texts while a run works."""

    root: Annotated[str | None, AfterValidator(_plain_place)] = Field(
        default=None,
        min_length=1,
        description="a folder that all executors reach; each run has its own below it, which goes when the run ends; "
        "_staging below warehouse.root by default",
    )


class GateSettings(Section):
    """The limits that stop a night before anything is published."""

    max_quarantined_share: float = Field(default=0.05, ge=0, le=1, description="the most rows refused, of those read")
    max_refused_file_share: float = Field(
        default=0.05, ge=0, le=1, description="the most files refused, of those that can hold the window"
    )
    max_canary_error_share: float = Field(
        default=0.2, ge=0, le=1, description="the most of the project's canary sentences that the model labels wrongly"
    )
    max_canary_change: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="the largest change of a probability of the canary sentences from what the model recorded",
    )
    allow_empty_dates: bool = Field(
        default=False,
        description="publish dates without a message; without it only those that are published as empty already, or "
        "whose weekday has always been empty",
    )
    min_messages: int = Field(default=1, ge=0, description="the fewest messages of a date that has any")
    min_weekday_share: float = Field(
        default=0.5, ge=0, description="the fewest messages of a date, of the median of the same weekdays before"
    )
    min_replaced_share: float = Field(
        default=0.8, ge=0, description="the fewest messages of a date, of those that are published of it already"
    )
    history_days: int = Field(default=56, ge=7, description="how many days before the window are its history")
    max_drift: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="the largest Jensen-Shannon distance (0 to 0.83) of labels, confidence, truncation, languages, "
        "unknown tokens and quarantine from the history; the limit of small days is wider",
    )
    baseline: dict[str, float] = Field(
        default={}, description="fixed shares of the six emotions that the labels are compared with too"
    )

    @field_validator("baseline")
    @classmethod
    def _shares_of_emotions(cls, shares: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(shares) - set(EMOTIONS))
        if unknown:
            raise ValueError(f"expected shares of {', '.join(EMOTIONS)}, found {', '.join(unknown)}")
        if shares and (min(shares.values()) < 0 or not math.isclose(sum(shares.values()), 1, abs_tol=0.01)):
            raise ValueError("expected shares from 0 on that sum to 1")
        return shares


class DashboardSettings(Section):
    """The page for analysts, built after each night. Its failure is a warning; needs the extra `dashboard`."""

    out: str | None = Field(
        default=None, min_length=1, description="the HTML file to write, on a local disk; no page by default"
    )
    title: str = Field(default="Emotions in feedback", min_length=1, description="the page's heading")
    examples: bool = Field(
        default=True,
        description="where warehouse.keep_text is set: show some messages, masked, to whoever has the page",
    )


class NightSettings(Section):
    """All settings of the nightly job, `conf/nightly.toml`."""

    input: InputSettings
    window: WindowSettings = WindowSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    scores: ScoreSettings = ScoreSettings()
    labels: LabelSettings = LabelSettings()
    terms: TermSettings = TermSettings()
    warehouse: WarehouseSettings
    staging: StagingSettings = StagingSettings()
    gate: GateSettings = GateSettings()
    dashboard: DashboardSettings = DashboardSettings()
    postgres: PostgresSettings | None = None
    monitoring: MonitoringSettings = MonitoringSettings()

    @model_validator(mode="after")
    def _dimensions_are_new_columns(self) -> "NightSettings":
        taken = sorted(RESERVED_COLUMNS.intersection(self.input.dimensions))
        if taken:
            raise ValueError(
                f"expected other names for the dimensions {', '.join(taken)}: the tables have them already"
            )
        return self

    @model_validator(mode="after")
    def _terms_have_dimensions_of_the_tables(self) -> "NightSettings":
        unknown = sorted(set(self.terms.dimensions or ()).difference(self.input.dimensions))
        if unknown:
            raise ValueError(f"expected dimensions of input.dimensions in terms.dimensions, found {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _results_are_no_input(self) -> "NightSettings":
        for name, place in (("warehouse.root", self.warehouse.root), ("staging.root", self.staging_root)):
            if self.input.path is not None and is_inside(place, self.input.path):
                raise ValueError(
                    f"expected {name} outside of input.path, found {place} inside {self.input.path}: the next night "
                    "would read the tables as messages"
                )
        return self

    @model_validator(mode="after")
    def _readers_of_delta_tables(self) -> "NightSettings":
        readers = {"dashboard.out": self.dashboard.out, "the section [postgres]": self.postgres}
        wanted = [name for name, value in readers.items() if value is not None]
        if wanted and self.warehouse.format != "delta":
            raise ValueError(
                f'expected warehouse.format "delta" where {" or ".join(wanted)} is set, found '
                f'"{self.warehouse.format}": they read Delta tables, without Spark'
            )
        return self

    @property
    def dimensions(self) -> list[str]:
        """The dimensions' names in the tables, in the order of the settings."""
        return list(self.input.dimensions)

    @property
    def term_dimensions(self) -> list[str]:
        """The dimensions that `emotion_terms` has, in the order of the tables."""
        chosen = self.dimensions[:2] if self.terms.dimensions is None else self.terms.dimensions
        return [name for name in self.dimensions if name in chosen]

    @property
    def staging_root(self) -> str:
        """The folder that holds each run's staging folder."""
        return self.staging.root or self.warehouse.default_staging

    def digest(self) -> str:
        """Name these settings, but for what follows the release, by 16 hex digits of their SHA-256."""
        return hashlib.sha256(self.model_dump_json(exclude=_AFTERWARDS).encode()).hexdigest()[:16]
