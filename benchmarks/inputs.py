"""Messages and models that benchmarks are run on."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from benchmarks.harness import BUILD, BenchmarkError
from benchmarks.machine import ROOT
from emotion_udf.probes import probe_texts

BUNDLED: Final = ROOT / "emotion_udf" / "models" / "emotion-minilm"
PROBES: Final = Path("probes")  # stands for the package's own sentences, on machines that have no messages
CHUNK_ROWS: Final = 2_500  # texts that are tokenised at once; the default of `classifier.chunk_rows`

_OUTPUTS: Final = {"q_lin": "heads", "k_lin": "heads", "v_lin": "heads", "lin1": "hidden"}  # others give `dim`
_INPUTS: Final = {"out_lin": "heads", "lin2": "hidden"}

RESIZED: Final[dict[str, dict[str, int]]] = {
    "base": {"dim": 768, "hidden_dim": 3_072},
    "tiny": {"dim": 32, "hidden_dim": 64, "n_heads": 2, "n_layers": 1},
}
"""Models made of the bundled one, by their sizes where they differ from its own.

`base` has those of distilbert-base-uncased, and the labels of the bundled weights. Of a night with `tiny` all is left
that is around the classifier."""


def read_texts(data: Path, rows: int | None = None) -> list[str]:
    """Return the first texts of a Parquet file, starting over where it holds fewer; all of them by default.

    Args:
        data: A Parquet file with a column `text`; or `probes`, for pairs of the package's own sentences.
        rows: Texts to return.

    Raises:
        BenchmarkError: There is no such file, or no text in it.
    """
    if data != PROBES and not data.is_file():
        raise BenchmarkError(f"expected messages in {data}, found no such file; name one with --data")
    own = _probe_pairs() if data == PROBES else pq.read_table(data, columns=["text"])["text"].to_pylist()
    if not own:
        raise BenchmarkError(f"expected messages in {data}, found none; name another file with --data")
    return own if rows is None else list(islice(cycle(own), rows))


def _probe_pairs() -> list[str]:
    """Return texts of about a tweet's length: each probe sentence with one from the other half."""
    probes = probe_texts()
    step = len(probes) // 2 + 1
    return [f"{text} {probes[(place + step) % len(probes)]}" for place, text in enumerate(probes)]


def write_job_input(data: Path, rows: int, warm_up_rows: int, cores: int, folder: Path) -> tuple[Path, Path]:
    """Write what a job labels and what its workers are warmed up with, one Parquet file a core.

    Args:
        data: As in `read_texts`.
        rows: Messages to label.
        warm_up_rows: Messages that each core labels before; others, as far as there are enough.
        cores: Files to write.
        folder: Where they go; it is emptied before.

    Raises:
        BenchmarkError: There are fewer rows than cores, or no messages.
    """
    if rows < cores:
        raise BenchmarkError(f"expected at least {cores} rows, one a core, found --rows {rows}")
    shutil.rmtree(folder, ignore_errors=True)
    texts = read_texts(data, rows + warm_up_rows * cores)
    timed = write_parts(to_messages(texts[:rows]), cores, folder / "timed")
    return timed, write_parts(to_messages(texts[rows:]), cores, folder / "warm-up")


def to_messages(texts: Sequence[str], first: int = 0) -> pa.Table:
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


def windows(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Cut texts into windows of `size`, the last one shorter."""
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def find_model(name: str | Path) -> Path:
    """Return the model folder that `--model` names; one of `RESIZED` is made when it is first asked for.

    Args:
        name: `base`, `tiny`, `bundled`, or a folder.

    Raises:
        BenchmarkError: There is no such folder.
    """
    if str(name) in RESIZED:
        return make_model(BUILD / f"{name}-of-{BUNDLED.name}", RESIZED[str(name)])
    folder = BUNDLED if str(name) == "bundled" else Path(name).resolve()
    if not (folder / "config.json").is_file():
        raise BenchmarkError(f"expected base, tiny, bundled or a model folder for --model, found {name}")
    return folder


def make_model(folder: Path, sizes: Mapping[str, int]) -> Path:
    """Make the bundled classifier at other sizes, unless it is there.

    Where a width is a multiple of its own, each unit is there so many times, and who reads them divides by that: the
    function, and the error of a lower precision, stay what they are. Where it is less, units are left out, and the
    labels mean nothing.

    Args:
        folder: Where it goes, in the form that transformers' `from_pretrained` reads.
        sizes: Of the network, in its configuration's names, where they differ from the bundled one's.
    """
    if (folder / "config.json").is_file():
        return folder
    old = json.loads((BUNDLED / "config.json").read_text(encoding="utf-8"))
    new = old | sizes
    size, old_size = (of["dim"] // of["n_heads"] for of in (new, old))
    head, place = np.divmod(np.arange(new["dim"]), size)
    units = {
        "dim": np.arange(new["dim"]) % old["dim"],
        "hidden": np.arange(new["hidden_dim"]) % old["hidden_dim"],
        "heads": head * old_size + place % old_size,  # attention mixes the units of a head
    }
    copies = {"dim": new["dim"] / old["dim"], "hidden": new["hidden_dim"] / old["hidden_dim"], "heads": size / old_size}

    def resize(name: str, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs = next((kind for part, kind in _OUTPUTS.items() if part in name), "dim")
        inputs = next((kind for part, kind in _INPUTS.items() if part in name), "dim")
        if "embeddings" in name and weight.ndim == 2:
            return weight[: new["max_position_embeddings"] if "position" in name else None, units["dim"]]
        if "q_lin" in name:  # the product of a query and a key is divided by the root of their size
            weight = weight / max(1.0, copies["heads"]) ** 0.5
        if name != "classifier.bias" and name != "classifier.weight":
            weight = weight[units[outputs]]
        return weight if weight.ndim == 1 else weight[:, units[inputs]] / max(1.0, copies[inputs])

    layers = tuple(f"distilbert.transformer.layer.{number}." for number in range(new["n_layers"]))
    weights = {
        name: np.ascontiguousarray(resize(name, weight), np.float32)
        for name, weight in load_file(BUNDLED / "model.safetensors").items()
        if ".layer." not in name or name.startswith(layers)
    }
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save_file(weights, unfinished / "model.safetensors", {"format": "pt"})
    (unfinished / "config.json").write_text(json.dumps(new), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(BUNDLED / name, unfinished / name)
    unfinished.rename(folder)
    return folder
