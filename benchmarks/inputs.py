"""Messages and models that benchmarks are run on."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness import BUILD, BenchmarkError
from benchmarks.machine import ROOT
from emotion_udf.classifier.parity import probe_texts

BUNDLED: Final = ROOT / "emotion_udf" / "models" / "emotion-minilm"
PROBES: Final = "probes"
"""The name that stands for the package's own sentences, on machines that have no messages."""

WINDOW_ROWS: Final = 2_500
"""Texts that are tokenised at once; the default of `classifier.window_rows`."""

_TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Sizes:
    """Sizes of a DistilBERT in its configuration's names; by default those of distilbert-base-uncased."""

    dim: int = 768
    hidden_dim: int = 3072
    n_heads: int = 12
    n_layers: int = 6
    vocab_size: int = 30_522
    max_position_embeddings: int = 512


RANDOM: Final = {"base": Sizes(), "tiny": Sizes(dim=32, hidden_dim=64, n_heads=2, n_layers=1)}
"""Models of random weights, which compute as long as trained ones; `tiny` leaves all that is around the classifier."""


# ---- messages


def read_texts(data: Path, rows: int) -> list[str]:
    """Return the first `rows` texts of a Parquet file, starting over where it holds fewer.

    Args:
        data: A Parquet file with a column `text`; or `probes`, for pairs of the package's own sentences.
        rows: Texts to return.

    Raises:
        BenchmarkError: There is no such file, or no text in it.
    """
    own = probe_pairs() if str(data) == PROBES else read_messages(data)["text"].to_pylist()
    return list(islice(cycle(own), rows))


def read_messages(data: Path) -> pa.Table:
    """Read the columns `id` and `text` of a Parquet file.

    Raises:
        BenchmarkError: There is no such file, or no row in it.
    """
    if not data.is_file():
        raise BenchmarkError(f"expected messages in {data}, found no such file; name one with --data")
    messages = pq.read_table(data, columns=["id", "text"])
    if not messages.num_rows:
        raise BenchmarkError(f"expected messages in {data}, found none; name another file with --data")
    return messages


def probe_pairs() -> list[str]:
    """Return texts of about a tweet's length: each probe sentence with one from the other half."""
    probes = probe_texts()
    step = len(probes) // 2 + 1
    return [f"{text} {probes[(place + step) % len(probes)]}" for place, text in enumerate(probes)]


def numbered(texts: Sequence[str], first: int = 0) -> pa.Table:
    """Return texts as messages whose `id` counts from `first`."""
    return pa.table({"id": [str(first + row) for row in range(len(texts))], "text": list(texts)})


def write_parts(messages: pa.Table, parts: int, folder: Path) -> Path:
    """Write neighbouring rows to `parts` Parquet files of equal length, but for one row, and return their folder."""
    folder.mkdir(parents=True)
    for part, rows in enumerate(split(messages.num_rows, parts)):
        pq.write_table(messages.slice(rows.start, rows.stop - rows.start), folder / f"part-{part:03}.parquet")
    return folder


def split(rows: int, parts: int) -> list[slice]:
    """Cut `rows` neighbouring rows into `parts` of equal length, but for one row."""
    borders = [rows * part // parts for part in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(borders)]


def windows(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """Cut texts into windows of `size`, the last one shorter."""
    remaining = iter(texts)
    while window := list(islice(remaining, size)):
        yield window


# ---- models


def find_model(name: str) -> Path:
    """Return the model folder that `--model` names; a model of random weights is made when it is first asked for.

    Args:
        name: `base`, `tiny`, `bundled`, or a folder.

    Raises:
        BenchmarkError: There is no such folder.
    """
    if name in RANDOM:
        return make_model(BUILD / f"{name}-distilbert", RANDOM[name])
    folder = BUNDLED if name == "bundled" else Path(name).resolve()
    if not (folder / "config.json").is_file():
        raise BenchmarkError(f"expected base, tiny, bundled or a model folder for --model, found {name!r}")
    return folder


def make_model(folder: Path, sizes: Sizes, seed: int = 1) -> Path:
    """Make a classifier of random weights, with the bundled one's tokenizer and labels, unless it is there.

    Args:
        folder: Where it goes, in the form that transformers' `from_pretrained` reads.
        sizes: The sizes of the network.
        seed: Of the weights.
    """
    if (folder / "config.json").is_file():
        return folder
    # Not at the top: transformers takes seconds to import, and most runs find the folder made.
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
