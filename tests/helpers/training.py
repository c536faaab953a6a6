"""Toy sentences, and the settings of a training that takes seconds."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.labelled import CLASSES, DataSettings, SourceSettings
from emotion_udf.settings.training import BaseModelSettings, OptimizerSettings, OutputSettings, TrainSettings
from emotion_udf.training.by_source import SetMetrics
from emotion_udf.training.data import Corpus, Source
from emotion_udf.training.evaluate import Metrics
from emotion_udf.training.labels import LabelledTexts
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


TRAIN = sentences(240, 1)
VALIDATION = sentences(60, 2)
TEST = sentences(60, 3)


def corpus(train: LabelledTexts = TRAIN, validation: LabelledTexts = VALIDATION, **settings: object) -> Corpus:
    """One source of toy sentences."""
    source = SourceSettings.model_validate({"name": "toy", "path": "."} | settings)
    return Corpus([Source(source, {"train": train, "validation": validation, "test": TEST})])


def write_lines(file: Path, labelled: LabelledTexts) -> None:
    """Write `text;label` lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (f"{text};{CLASSES[label]}\n" for text, label in zip(labelled.texts, labelled.labels, strict=True))
    file.write_text("".join(lines), encoding="utf-8")


def make_recipe(folder: Path, tokenizer_json: Path) -> TrainSettings:
    """Settings over a tiny base and small files, one leaked sentence among them, writing to `folder / "model"`."""
    base = folder / "tiny-base"
    labelled = folder / "labelled"
    tiny_bert().save_pretrained(base)
    (base / "tokenizer.json").write_bytes(tokenizer_json.read_bytes())
    for name, split in (("train", TRAIN), ("val", VALIDATION), ("test", TEST)):
        write_lines(labelled / f"{name}.txt", split)
    with (labelled / "train.txt").open("a", encoding="utf-8") as stream:
        stream.write(f"{TEST.texts[0]};joy\n")
    return TrainSettings(
        base=BaseModelSettings(name="somebody/tiny-base", license="MIT", model=str(base)),
        data=DataSettings(source=str(labelled)),
        optimizer=OptimizerSettings(learning_rate=5e-3, epochs=2, device="cpu", precision="fp32"),
        output=OutputSettings(folder=str(folder / "model")),
    )


def as_toml(settings: TrainSettings) -> str:
    """Write settings as a file; JSON's strings, numbers and lists are TOML's."""
    lines = []
    for name, section in settings.model_dump(exclude_none=True).items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in section.items() if value != {}]
    return "\n".join(lines)


@dataclass(frozen=True)
class Trained:
    """A model folder, its settings, and what `train` returned."""

    folder: Path
    settings: TrainSettings
    results: list[SetMetrics]

    def metrics(self, split: str) -> Metrics:
        """Return the metrics of a split."""
        (found,) = [one.emotions for one in self.results if one.split == split]
        assert found
        return found
