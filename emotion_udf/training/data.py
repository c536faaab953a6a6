"""Labelled sentences for training and evaluation."""

from dataclasses import dataclass
from pathlib import Path

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError


@dataclass(frozen=True)
class LabelledTexts:
    """Sentences with their emotions.

    Args:
        texts: The sentences.
        labels: As many indices into `EMOTIONS`.
    """

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)

    def without(self, held_out: set[str]) -> "LabelledTexts":
        """Return the sentences that are not among `held_out`."""
        kept = [(text, label) for text, label in zip(self.texts, self.labels, strict=True) if text not in held_out]
        return LabelledTexts([text for text, _ in kept], [label for _, label in kept])


@dataclass(frozen=True)
class Splits:
    """The three parts of a labelled data set, in which no training sentence stands in another part."""

    train: LabelledTexts
    validation: LabelledTexts
    test: LabelledTexts
    leaked: int
    """How many training rows were set aside because their text also stands in validation or test."""


def read_labelled_texts(file: Path) -> LabelledTexts:
    """Read `text;label` lines, the original form of dair-ai/emotion; the label follows the last `;`.

    Raises:
        InputError: The file is missing, empty, or has a line without one of the six labels.
    """
    if not file.is_file():
        raise InputError(f"expected labelled sentences at {file}, found no such file; name the folder in data.folder")
    lines = file.read_text(encoding="utf-8").rstrip("\n")
    if not lines:
        raise InputError(f"expected labelled sentences in {file}, found an empty file")
    texts, labels = [], []
    for number, line in enumerate(lines.split("\n"), start=1):
        text, _, label = line.rpartition(";")
        if not text.strip() or label not in EMOTIONS:
            raise InputError(f"{file}, line {number}: expected text;label with a label of {', '.join(EMOTIONS)}")
        texts.append(text)
        labels.append(EMOTIONS.index(label))
    return LabelledTexts(texts, labels)


def read_splits(folder: Path) -> Splits:
    """Read `train.txt`, `val.txt` and `test.txt`, and keep held-out sentences out of the training part."""
    train, validation, test = (read_labelled_texts(folder / f"{name}.txt") for name in ("train", "val", "test"))
    clean = train.without({*validation.texts, *test.texts})
    return Splits(clean, validation, test, leaked=len(train) - len(clean))
