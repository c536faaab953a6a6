"""Toy sentences, and the settings of a training that takes seconds."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.training import (
    BaseModelSettings,
    DataSettings,
    OptimizerSettings,
    OutputSettings,
    TrainSettings,
)
from emotion_udf.training.data import LabelledTexts, Overlaps, Splits
from emotion_udf.training.evaluate import Metrics
from tests.helpers.models import tiny_bert

WORDS = ("gloomy", "happy", "tender", "furious", "scared", "amazed")

Start = Callable[[], DistilBert]


def seeded(seed: int) -> random.Random:
    """Chance that is the same each time."""
    return random.Random(seed)  # noqa: S311 (a test needs no secrecy)


def sentences(count: int, seed: int) -> LabelledTexts:
    """Sentences of several lengths whose label shows in one word."""
    labels = [i % len(EMOTIONS) for i in range(count)]
    texts = [f"i feel {WORDS[label]} {'so ' * (i % 5)}{seed} {i}" for i, label in enumerate(labels)]
    return LabelledTexts(texts, labels)


SPLITS = Splits(sentences(240, 1), sentences(60, 2), sentences(60, 3), Overlaps(0, 0, 0, 0, 0))


def write_lines(file: Path, labelled: LabelledTexts) -> None:
    lines = (f"{text};{EMOTIONS[label]}\n" for text, label in zip(labelled.texts, labelled.labels, strict=True))
    file.write_text("".join(lines), encoding="utf-8")


def make_recipe(folder: Path, tokenizer_json: Path) -> TrainSettings:
    """Settings over a tiny base and small files, one leaked sentence among them, writing to `folder / "model"`."""
    base, labelled = folder / "tiny-base", folder / "labelled"
    tiny_bert().save_pretrained(base)
    (base / "tokenizer.json").write_bytes(tokenizer_json.read_bytes())
    labelled.mkdir()
    for name, part in (("train", SPLITS.train), ("val", SPLITS.validation), ("test", SPLITS.test)):
        write_lines(labelled / f"{name}.txt", part)
    with (labelled / "train.txt").open("a", encoding="utf-8") as stream:
        stream.write(f"{SPLITS.test.texts[0]};joy\n")
    return TrainSettings(
        base=BaseModelSettings(name="somebody/tiny-base", license="MIT", model=str(base)),
        data=DataSettings(source=str(labelled)),
        optimizer=OptimizerSettings(learning_rate=5e-3, epochs=2, device="cpu", precision="fp32"),
        output=OutputSettings(folder=str(folder / "model")),
    )


@dataclass(frozen=True)
class Trained:
    """A model folder, what made it, and what `train` returned."""

    folder: Path
    settings: TrainSettings
    results: dict[str, Metrics]
