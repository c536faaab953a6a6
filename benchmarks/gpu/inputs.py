"""What is scored: a model that needs no transformers to be made, and texts, also where there are no tweets."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks.gpu.plan import ON_GPU, Plan
from benchmarks.inputs import BUILD, BUNDLED, Sizes
from benchmarks.parity import read_texts
from emotion_udf.classifier.artifact import CONFIG, TOKENIZER, WEIGHTS
from emotion_udf.classifier.configuration import OWN_SECTION, ModelConfig
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.weights import to_transformers
from emotion_udf.probes import probe_texts


def base_model(plan: Plan) -> Path:
    """Return the folder of the model that `--model base` means, writing it when it is first asked for."""
    return write_random_model(BUILD / ("random-base" if plan is ON_GPU else "random-tiny"), plan.sizes)


def write_random_model(folder: Path, sizes: Sizes) -> Path:
    """Write a classifier of random weights with the bundled one's tokenizer and labels, unless it is there.

    Unlike `benchmarks.inputs.make_model` it needs no transformers.

    Args:
        folder: Where it goes.
        sizes: The sizes of the network.

    Returns:
        The folder.
    """
    if (folder / CONFIG).is_file():
        return folder
    torch.manual_seed(1)
    network = DistilBert(ModelConfig(**asdict(sizes)))
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)  # as transformers begins
    config = json.loads((BUNDLED / CONFIG).read_text(encoding="utf-8")) | asdict(sizes)
    config.pop(OWN_SECTION, None)  # it is of the weights that this one does not have
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    theirs = to_transformers(network.state_dict(), sizes.n_layers)
    save_file({name: weight.contiguous().clone() for name, weight in theirs.items()}, unfinished / WEIGHTS)
    (unfinished / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    shutil.copyfile(BUNDLED / TOKENIZER, unfinished / TOKENIZER)
    unfinished.rename(folder)
    return folder


def messages_or_probes(data: Path, rows: int) -> tuple[list[str], list[str]]:
    """Return texts, fewer than `rows` where there are fewer, and what is to be said of them.

    Args:
        data: A Parquet file with a column `text`; probe sentences stand in where there is no such file.
        rows: The most messages to read.
    """
    if data.is_file():
        return read_texts(data, rows), []
    return paired_probes(), [f"no messages in {data}: pairs of probe sentences instead, over and over"]


def paired_probes() -> list[str]:
    """Return texts of about a tweet's length, two probe sentences each, for machines that have no tweets."""
    probes = probe_texts()
    step = len(probes) // 2 + 1
    return [f"{text} {probes[(place + step) % len(probes)]}" for place, text in enumerate(probes)]
