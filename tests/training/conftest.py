"""Tiny bases with random weights, and a classifier trained from one."""

import copy
import json
from pathlib import Path

import pytest
import torch

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.initialise import initialise
from emotion_udf.training.message_tokenizer import EMOJI
from emotion_udf.training.train import train
from tests.helpers.models import tiny_bert
from tests.helpers.training import Start, Trained, make_recipe


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Compute on one core, as the classifier's tests do."""
    torch.set_num_threads(1)


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
    added = {*"".join(EMOJI.values())} - {*"▪♣©♦♥↔®♠™"}  # BERT's own vocabulary has those
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


@pytest.fixture
def recipe(tmp_path: Path, tokenizer_json: Path) -> TrainSettings:
    return make_recipe(tmp_path, tokenizer_json)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tokenizer_json: Path) -> Trained:
    """What the recipe gives, for tests that only look at it."""
    settings = make_recipe(tmp_path_factory.mktemp("trained"), tokenizer_json)
    results = train(settings)
    return Trained(Path(settings.output.folder), settings, results)
