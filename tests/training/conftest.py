"""Toy sentences, tiny bases with random weights, and the settings of a training that takes seconds."""

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings import BaseModelSettings, DataSettings, OptimiserSettings, OutputSettings, TrainSettings
from emotion_udf.training.data import LabelledTexts, Overlaps, Splits
from emotion_udf.training.evaluate import Metrics
from emotion_udf.training.initialise import initialise
from emotion_udf.training.message_tokenizer import EMOJI
from emotion_udf.training.train import train

from ..classifier.conftest import tiny_bert

WORDS = ("gloomy", "happy", "tender", "furious", "scared", "amazed")

Start = Callable[[], DistilBert]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Compute on one core, as the classifier's tests do."""
    torch.set_num_threads(1)


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


@pytest.fixture(scope="session")
def tokenizer_json(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of a BERT base: the bundled one without the rules that `message_tokenizer` adds."""
    tokenizer = json.loads((BUNDLED_FOLDER / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["normalizer"] = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    tokenizer["pre_tokenizer"] = {"type": "BertPreTokenizer"}
    numbers = tokenizer["model"]["vocab"]
    added = [one for one in "".join(EMOJI.values()) if one != "♥"]  # BERT's own vocabulary has that one
    plain = {token: number for token, number in numbers.items() if token not in added}
    free = sorted(set(range(max(plain.values()))) - set(plain.values()))
    tokenizer["model"]["vocab"] = plain | {f"[unused{number - 1}]": number for number in free}
    file = tmp_path_factory.mktemp("base") / "tokenizer.json"
    file.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    return file


@pytest.fixture
def tokenizer(tokenizer_json: Path) -> MessageTokenizer:
    return MessageTokenizer(tokenizer_json, 64)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Make the same untrained classifier each time."""
    folder = tmp_path / "start"
    torch.manual_seed(0)
    base = tiny_bert()
    for module in base.modules():
        base._init_weights(module)
    base.save_pretrained(folder)
    network = initialise(folder, seed=0).network
    return lambda: copy.deepcopy(network)


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
        base=BaseModelSettings(name="somebody/tiny-base", licence="MIT", model=str(base)),
        data=DataSettings(source=str(labelled)),
        optimiser=OptimiserSettings(learning_rate=5e-3, epochs=2, device="cpu", precision="fp32"),
        output=OutputSettings(folder=str(folder / "model")),
    )


@pytest.fixture
def recipe(tmp_path: Path, tokenizer_json: Path) -> TrainSettings:
    return make_recipe(tmp_path, tokenizer_json)


@dataclass(frozen=True)
class Trained:
    """A model folder, what made it, and what `train` returned."""

    folder: Path
    settings: TrainSettings
    results: dict[str, Metrics]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tokenizer_json: Path) -> Trained:
    """What the recipe gives, for tests that only look at it."""
    settings = make_recipe(tmp_path_factory.mktemp("trained"), tokenizer_json)
    results = train(settings)
    return Trained(Path(settings.output.folder), settings, results)
