"""What all contenders are given: the same rows, and the same model folder."""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.machine import ROOT

BUILD: Final = ROOT / "build" / "benchmarks"
BUNDLED: Final = ROOT / "emotion_udf" / "models" / "emotion-minilm"
WARM_UP_ROWS_PER_CORE: Final = 64

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


class BenchmarkError(Exception):
    """The benchmark cannot be run as asked; the message says what to change."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a DistilBERT, in its configuration's names; by default those of distilbert-base-uncased."""

    dim: int = 768
    hidden_dim: int = 3072
    n_heads: int = 12
    n_layers: int = 6
    vocab_size: int = 30_522
    max_position_embeddings: int = 512


TINY: Final = Sizes(dim=32, hidden_dim=64, n_heads=2, n_layers=1)
TINY_NOTE: Final = (
    "tiny is one layer of width 32 with random weights: the classifier costs next to nothing, and what is measured is "
    "all that is around it. Set its seconds against those of a real model."
)


@dataclass(frozen=True)
class Rows:
    """Folders of Parquet files with `id` and `text`, one file a core.

    Args:
        timed: What is timed.
        warm_up: What workers label once before, so that they have loaded their model.
    """

    timed: Path
    warm_up: Path


def default_data() -> Path:
    """Return where the tweets are: below `EMOTION_UDF_DATA`, or beside the project."""
    return Path(os.environ.get("EMOTION_UDF_DATA", "../shared/data")) / "tweets.parquet"


def write_rows(data: Path, rows: int, cores: int, folder: Path) -> Rows:
    """Write the first `rows` messages of `data` for `cores` tasks, and a few from its end to warm up with.

    Args:
        data: A Parquet file with the columns `id` and `text`.
        rows: Messages to time.
        cores: Files to deal them to, so that every reader gets as many equal parts as it has cores.
        folder: Where the files go; what is there is replaced.

    Raises:
        BenchmarkError: There is no such file, or it holds fewer messages.
    """
    if not data.is_file():
        raise BenchmarkError(f"expected messages in {data}, found no such file; name one with --data")
    messages = pq.read_table(data, columns=["id", "text"])
    if not cores <= rows <= messages.num_rows:
        raise BenchmarkError(
            f"expected from {cores} to {messages.num_rows:,} rows, which {data} holds, found --rows {rows:,}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    warm_up = min(WARM_UP_ROWS_PER_CORE * cores, messages.num_rows)
    return Rows(
        timed=write_parts(messages.slice(0, rows), cores, folder / "timed"),
        warm_up=write_parts(messages.slice(messages.num_rows - warm_up), cores, folder / "warm-up"),
    )


def write_parts(messages: pa.Table, parts: int, folder: Path) -> Path:
    """Write neighbouring rows to `parts` files of equal length, but for one row."""
    folder.mkdir(parents=True)
    borders = [messages.num_rows * part // parts for part in range(parts + 1)]
    for part, (start, end) in enumerate(pairwise(borders)):
        pq.write_table(messages.slice(start, end - start), folder / f"part-{part:03}.parquet")
    return folder


def find_model(name: str) -> Path:
    """Return the model folder that `--model` names, making those of random weights when they are first asked for.

    Args:
        name: `base`, `tiny`, `bundled`, or a folder.

    Raises:
        BenchmarkError: There is no such folder.
    """
    if name == "base":
        return make_model(BUILD / "base-distilbert")
    if name == "tiny":
        return make_model(BUILD / "tiny-distilbert", TINY)
    folder = BUNDLED if name == "bundled" else Path(name).resolve()
    if not (folder / "config.json").is_file():
        raise BenchmarkError(f"expected base, tiny, bundled or a model folder for --model, found {name!r}")
    return folder


def make_model(folder: Path, sizes: Sizes = Sizes(), seed: int = 1) -> Path:
    """Make a classifier of random weights, with the bundled one's tokenizer and labels, unless it is there.

    It computes as long as a trained one of its size, which is all that a benchmark of speed asks of it.

    Args:
        folder: Where it goes, in the form that transformers' `from_pretrained` reads.
        sizes: The sizes of the network.
        seed: Of the weights.
    """
    if (folder / "config.json").is_file():
        return folder
    # Loaded here: transformers takes seconds, and most runs find the folder made.
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    labels = json.loads((BUNDLED / "config.json").read_text(encoding="utf-8"))["id2label"]
    id2label = {int(number): label for number, label in labels.items()}
    label2id = {label: number for number, label in id2label.items()}
    torch.manual_seed(seed)
    model = DistilBertForSequenceClassification(
        DistilBertConfig(**asdict(sizes), id2label=id2label, label2id=label2id, dtype="float32")
    )
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished)
    for name in _TOKENIZER_FILES:
        shutil.copyfile(BUNDLED / name, unfinished / name)
    unfinished.rename(folder)
    return folder
