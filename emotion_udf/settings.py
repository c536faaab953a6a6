"""The settings of the jobs: pydantic models of `conf/*.toml`, in which an unknown key is an error."""

import hashlib
import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from emotion_udf.classifier.artifact import BUNDLED, ArtifactSource
from emotion_udf.classifier.device import Device, Precision, TrainingPrecision


class _Section(BaseModel):
    """A table of a settings file: no unknown keys, no silent conversions, no changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected an IANA time zone such as UTC or Europe/Berlin") from error
    return name


def _column_names(dimensions: dict[str, str]) -> dict[str, str]:
    for name in dimensions:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"expected lower-case words joined by _ for the dimension {name!r}")
    return dimensions


class ColumnSettings(_Section):
    """The names that the input gives to what the job needs."""

    id: str = Field(default="id", description="a string or integer that names a message")
    text: str = Field(default="text", description="the message, a string")
    created_at: str = Field(default="created_at", description="when it was written, a timestamp")


class InputSettings(_Section):
    """Where messages come from. Exactly one of `path` and `table` is given."""

    path: str | None = Field(
        default=None, min_length=1, description="a Parquet file or folder, Hive-style partitions included"
    )
    table: str | None = Field(default=None, description="a table of Spark's catalog, such as lake.feedback")
    columns: ColumnSettings = ColumnSettings()
    dimensions: Annotated[dict[str, str], AfterValidator(_column_names)] = Field(
        default={}, description="columns to keep and to aggregate by: name in the tables = name in the input"
    )
    date_partition: str | None = Field(
        default=None,
        description="the Hive partition key that holds the message's date; folders far from the window stay shut",
    )
    max_text_chars: int = Field(default=100_000, ge=1, description="longer messages go to quarantine")

    @model_validator(mode="after")
    def _one_place(self) -> "InputSettings":
        if (self.path is None) == (self.table is None):
            raise ValueError("expected exactly one of input.path and input.table")
        return self


class WindowSettings(_Section):
    """What a date means."""

    timezone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC", description="the zone whose days are counted"
    )


class ClassifierSettings(_Section):
    """Which classifier labels the messages, and how it is fed."""

    model: str = Field(default=BUNDLED, description="'bundled', a local folder, or a Hub id")
    revision: str | None = Field(default=None, description="the 40-digit commit of a Hub id")
    labels: list[str] | None = Field(
        default=None, description="the model's labels in its order, where its configuration only says LABEL_0 … LABEL_5"
    )
    device: Device = Field(default="auto", description="auto, cpu or cuda")
    precision: Precision = Field(
        default="auto",
        description="what the network computes in: fp32, bf16, fp16 (GPU), int16 (CPU with AVX2), or auto, the fastest "
        "that the device has; where its labels are not those of fp32, fp32 is used",
    )
    token_budget: int | None = Field(
        default=None, ge=1, description="the most tokens in one forward pass; by default what suits the device"
    )
    window_rows: int = Field(default=2_500, ge=1, description="rows a worker gathers before it cuts batches by length")
    rows_per_task: int = Field(default=20_000, ge=1, description="distinct texts of one Spark task, about")

    @property
    def source(self) -> ArtifactSource:
        """Where the model folder is found."""
        return ArtifactSource(self.model, self.revision, tuple(self.labels) if self.labels else None)


Reuse = Literal["off", "night", "history"]


class ScoreSettings(_Section):
    """What is not scored again."""

    reuse: Reuse = Field(
        default="history",
        description="off scores every message, night a text once a run, history only texts that no earlier run has "
        "scored with this model; it keeps their scores in text_scores, by a hash of the text",
    )


class LabelSettings(_Section):
    """How probabilities become labels."""

    min_confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="is_confident is true from this confidence on; the model's own threshold by default, or 0.5",
    )


class WarehouseSettings(_Section):
    """Where the tables live."""

    root: str = Field(min_length=1, description="the folder of the tables")
    format: Literal["delta"] = Field(default="delta", description="the table format")
    keep_text: bool = Field(default=False, description="copy the message's text to emotion_labels")


class GateSettings(_Section):
    """What stops a night before anything is published."""

    max_quarantined_share: float = Field(default=0.05, ge=0, le=1, description="of the rows read, and of the files")


class NightSettings(_Section):
    """All settings of the nightly job, `conf/nightly.toml`."""

    input: InputSettings
    window: WindowSettings = WindowSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    scores: ScoreSettings = ScoreSettings()
    labels: LabelSettings = LabelSettings()
    warehouse: WarehouseSettings
    gate: GateSettings = GateSettings()

    @model_validator(mode="after")
    def _dimensions_are_new_columns(self) -> "NightSettings":
        # Imported here: schemas needs pyspark, which training does not have to have.
        from emotion_udf.schemas import RESERVED_COLUMNS

        taken = sorted(RESERVED_COLUMNS.intersection(self.input.dimensions))
        if taken:
            raise ValueError(
                f"expected other names for the dimensions {', '.join(taken)}: the tables have them already"
            )
        return self

    @property
    def dimensions(self) -> list[str]:
        """The dimensions' names in the tables, in the order of the settings."""
        return list(self.input.dimensions)

    def digest(self) -> str:
        """Name these settings by 16 hex digits of their SHA-256."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class BaseModelSettings(_Section):
    """The encoder that training starts from."""

    name: str = Field(description="what it is called where it was published, for the card")
    licence: str = Field(description="its licence, for the card")
    model: str = Field(description="a DistilBERT or BERT encoder: a folder, or a Hub id")
    revision: str | None = Field(default=None, description="the branch, tag or commit of a Hub id")
    message_rules: bool = Field(
        default=False, description="teach the tokenizer to read links, @names, HTML entities, emoticons and emoji"
    )


class DataSettings(_Section):
    """Labelled sentences in three parts: train, validation and test."""

    source: str = Field(
        description="a folder of train, validation (or val) and test files, .txt lines of text;label or .parquet; "
        "or the Hub id of a data set that holds such Parquet files"
    )
    revision: str | None = Field(default=None, description="the branch, tag or commit of a Hub id")
    text: str = Field(default="text", description="the column of Parquet files that holds the sentence")
    label: str = Field(default="label", description="the column that holds the emotion, by name or by number")


class OptimiserSettings(_Section):
    """AdamW with a linear schedule. The defaults are those of the published model's card."""

    learning_rate: float = Field(default=5e-5, gt=0, description="the highest of the schedule")
    batch_size: int = Field(default=16, ge=1, description="sentences a step")
    epochs: int = Field(default=3, ge=1, description="passes over the training sentences")
    patience: int | None = Field(
        default=None, ge=1, description="stop after so many epochs that validate no better than an earlier one"
    )
    warmup_share: float = Field(default=0.0, ge=0, lt=1, description="of all steps, in which the learning rate rises")
    weight_decay: float = Field(default=0.0, ge=0, description="of matrices; biases and norms are not decayed")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the mean of squared gradients")
    epsilon: float = Field(default=1e-8, gt=0, description="keeps a step finite")
    average_decay: float = Field(
        default=0.0, ge=0, lt=1, description="keep a moving average of the weights with this decay a step; 0 keeps none"
    )
    seed: int = Field(default=42, description="of the new head, dropout, noise and the order of sentences")
    device: Device = Field(default="auto", description="auto, cpu or cuda")
    precision: TrainingPrecision = Field(
        default="auto",
        description="of the matrix products in training; auto is bf16, or fp16, where the device computes in it, else "
        "fp32; evaluation is in fp32",
    )


class ObjectiveSettings(_Section):
    """What training makes small: the cross-entropy with the labels, softened and mixed with teachers' opinions."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="probability spread evenly over all labels")
    teachers: list[str] = Field(default=[], description="classifier folders whose mean probabilities are learnt too")
    teacher_weight: float = Field(default=0.5, ge=0, le=1, description="of the teachers against the labels")
    own_sentences: int = Field(
        default=0, ge=0, description="how often an epoch shows the sentences that were written for this project"
    )
    noise_share: float = Field(
        default=0.0, ge=0, le=1, description="of the training sentences, rewritten as people type in each epoch"
    )


class SoupSettings(_Section):
    """A model soup (Wortsman et al., 2022): the mean of several classifiers, as large and as fast as one of them."""

    of: list[str] = Field(
        default=[],
        description="folders of classifiers that were trained from this base; the model is the mean of their weights, "
        "and nothing more is trained",
    )
    train_on: bool = Field(default=False, description="train on from that mean, as the other sections say")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> "SoupSettings":
        if self.train_on and not self.of:
            raise ValueError("expected folders in soup.of to train on from, found none")
        return self


class ConfidenceSettings(_Section):
    """How sure a label must be to count as confident."""

    accuracy: float = Field(
        default=0.98,
        gt=0,
        le=1,
        description="is_confident starts at the lowest confidence above which validation is so often right",
    )


class OutputSettings(_Section):
    """Where training leaves the model."""

    folder: str = Field(description="the model folder to write; it must not exist yet")


class TrainSettings(_Section):
    """All settings of training, `conf/train.toml`."""

    base: BaseModelSettings
    data: DataSettings
    optimiser: OptimiserSettings = OptimiserSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    soup: SoupSettings = SoupSettings()
    confidence: ConfidenceSettings = ConfidenceSettings()
    output: OutputSettings
