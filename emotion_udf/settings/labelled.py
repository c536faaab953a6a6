"""Settings of labelled sentences: where they are, what their labels mean, and how much they count."""

from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.section import Section

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

CLASSES = (*EMOTIONS, "neutral")
"""What a label may mean."""


class SplitSettings(Section):
    """The file, or the rows of a file, that make up a split."""

    file: str = Field(description="a file below the source's path")
    rows: Literal["all", "even", "odd"] = Field(default="all", description="which of its rows, counted from 1")


class SourceSettings(Section):
    """A set of labelled sentences from one domain."""

    name: str = Field(description="what tables and the card call it")
    path: str = Field(description="a folder, relative to data.root, or the Hub id of a data set of Parquet files")
    revision: str | None = Field(default=None, description="the branch, tag or commit of a Hub id")
    format: Literal["auto", "semicolon", "tab", "two_files", "parquet"] = Field(
        default="auto",
        description="semicolon: text;label lines; tab: text, a tab, and label names or numbers joined by commas; "
        "two_files: X_text.txt with a text a line beside X_labels.txt with its label number; parquet: a text and a "
        "label column; auto: by the ending .txt, .tsv or .parquet",
    )
    text: str = Field(default="text", description="the column of Parquet files that holds the sentence")
    label: str = Field(default="label", description="the column that holds the emotion, by name or by number")
    label_names: list[str] = Field(
        default=[], description="names of label numbers, in order; else labels.txt or mapping.txt in the folder"
    )
    labels: dict[str, str | list[str]] = Field(
        default={},
        description="what each label means: an emotion, neutral, or a list of emotions of which one fits; sentences "
        "with other labels are left out; by default labels are emotions or neutral",
    )
    several: Literal["agree", "agree_else_any"] = Field(
        default="agree",
        description="of a sentence with several labels: agree keeps what fits all of them, and leaves out the "
        "sentence where nothing does or a label is not in labels; agree_else_any keeps what fits one of them then",
    )
    unlabelled: bool = Field(
        default=False, description="a Parquet source without labels, of which teachers alone say what it teaches"
    )
    splits: dict[Split, SplitSettings] = Field(
        default={}, description="the file of each split; by default files that are named for their split"
    )
    weight: float = Field(default=1.0, ge=0, description="of a sentence in the training loss")
    neutral_weight: float = Field(default=1.0, ge=0, description="of a neutral sentence in the training loss")
    per_epoch: float = Field(
        default=1.0, ge=0, description="how often an epoch shows each sentence; 0.5 shows half of them, drawn anew"
    )
    teacher_weight: float | None = Field(
        default=None, ge=0, le=1, description="of the teachers against the labels; by default objective.teacher_weight"
    )
    may_be_neutral: bool = Field(
        default=True, description="false where every sentence has a feeling, so that teachers do not say neutral"
    )
    choice_weight: float = Field(
        default=1.0, ge=0, description="of its validation accuracy in the mean that the epoch is chosen by"
    )
    confident_accuracy: float | None = Field(
        default=None, gt=0, le=1, description="how often its confident labels must be right; else confidence.accuracy"
    )
    license: str = Field(default="", description="its licence, for the card")

    @field_validator("labels")
    @classmethod
    def _known_classes(cls, labels: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for label, meaning in labels.items():
            meant = [meaning] if isinstance(meaning, str) else meaning
            if not meant or not set(meant) <= set(CLASSES):
                raise ValueError(f"expected one or more of {', '.join(CLASSES)} for the label {label!r}")
        return labels

    @model_validator(mode="after")
    def _files_where_names_do_not_tell(self) -> "SourceSettings":
        if self.format in ("tab", "two_files") and not self.splits:
            raise ValueError(f"expected the files of the format {self.format} in splits, found none")
        return self


class DataSettings(Section):
    """Labelled sentences: one data set with three splits, or several sources."""

    source: str | None = Field(
        default=None,
        description="a folder of train, validation (or val) and test files, .txt lines of text;label or .parquet; "
        "or the Hub id of a data set that holds such Parquet files",
    )
    name: str = Field(default="dair-ai/emotion", description="what tables and the card call it")
    license: str = Field(default="educational and research use", description="its licence, for the card")
    revision: str | None = Field(default=None, description="the branch, tag or commit of a Hub id")
    text: str = Field(default="text", description="the column of Parquet files that holds the sentence")
    label: str = Field(default="label", description="the column that holds the emotion, by name or by number")
    root: str = Field(default=".", description="the folder that the paths of sources start from")
    sources: list[SourceSettings] = Field(
        default=[],
        description="several sets instead of one, each a table [[data.sources]] of "
        + ", ".join(SourceSettings.model_fields),
    )
    sources_file: str | None = Field(
        default=None, description="a TOML file of such tables, there named [[sources]], that several jobs share"
    )
    only: list[str] = Field(default=[], description="the names of the sources to take; by default all")
    per_epoch: dict[str, float] = Field(
        default={}, description="how often an epoch shows each sentence of the sources named here, instead of theirs"
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> "DataSettings":
        given = [self.source is not None, bool(self.sources), self.sources_file is not None]
        if sum(given) != 1:
            raise ValueError("expected exactly one of data.source, [[data.sources]] and data.sources_file")
        return self

    def all_sources(self) -> list[SourceSettings]:
        """Return the sources, or the one data set as such.

        Raises:
            UsageError: The file of sources is missing or malformed, or has no source of a name in `only`.
        """
        if self.source is not None:
            return [
                SourceSettings(
                    name=self.name,
                    path=self.source,
                    revision=self.revision,
                    text=self.text,
                    label=self.label,
                    license=self.license,
                )
            ]
        listed = self.sources
        if self.sources_file is not None:
            listed = load_settings(SourcesFile, Path(self.sources_file)).sources
        names = [source.name for source in listed]
        wanted = {*self.only, *self.per_epoch}
        if len(set(names)) < len(names) or not wanted <= set(names):
            raise UsageError(
                f"expected sources of different names{', among them ' if wanted else ''}{', '.join(sorted(wanted))}, "
                f"found {', '.join(names)}"
            )
        return [
            source.model_copy(update={"per_epoch": self.per_epoch.get(source.name, source.per_epoch)})
            for source in listed
            if not self.only or source.name in self.only
        ]


class SourcesFile(Section):
    """A file of sources, `conf/sources.toml`."""

    sources: list[SourceSettings]


class EvaluationSettings(Section):
    """Labelled sets to measure a classifier on, `conf/evaluate.toml`."""

    data: DataSettings
