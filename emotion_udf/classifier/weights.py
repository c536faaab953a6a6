"""Rename weights between transformers and `distilbert`, where query, key and value are one matrix."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.errors import ModelError

_LAYER = "distilbert.transformer.layer."
_EMBEDDINGS = {
    "words": "distilbert.embeddings.word_embeddings",
    "positions": "distilbert.embeddings.position_embeddings",
}
_OUTSIDE_LAYERS = {
    "norm": "distilbert.embeddings.LayerNorm",
    "pre_classifier": "pre_classifier",
    "classifier": "classifier",
}
_IN_A_LAYER = {
    "attention.out": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "feed_forward.expand": "ffn.lin1",
    "feed_forward.contract": "ffn.lin2",
    "output_norm": "output_layer_norm",
}


def load_distilbert(config: ModelConfig, weights: Path) -> DistilBert:
    """Read safetensors in transformers' names into a `DistilBert` in fp32, on the CPU.

    Raises:
        ModelError: The file cannot be read, does not hold the weights that `config` describes, or
            one that is no finite number.
    """
    with torch.device("meta"):  # no memory and no random numbers for weights that are about to be replaced
        model = DistilBert(config)
    try:
        theirs = {name: tensor.float() for name, tensor in load_file(weights).items()}
        model.load_state_dict(from_transformers(theirs, config.n_layers), assign=True)
    except Exception as error:
        raise ModelError(
            f"expected the weights of config.json in {weights}, found a damaged file or other weights "
            f"({type(error).__name__}); take the model folder from its source again"
        ) from error
    broken = [name for name, tensor in theirs.items() if not _is_finite(tensor)]
    if broken:
        raise ModelError(
            f"expected finite weights in {weights}, found NaN or infinity in {', '.join(broken[:3])}; take the model "
            "folder from its source again"
        )
    return model.eval().requires_grad_(False)


def _is_finite(tensor: Tensor) -> bool:
    """Tell whether all numbers are finite, by the least and the greatest: `isfinite` takes a tenth of a second."""
    return not tensor.numel() or bool(torch.stack(tensor.aminmax()).isfinite().all())  # NaN where one is


def from_transformers(theirs: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Rename transformers' weights; query, key and value become one matrix.

    Raises:
        KeyError: A weight is missing, or there are more layers than `layers`.
    """
    ours = {mine: theirs[name] for mine, name in _names(layers).items()}
    for layer in range(layers):
        for name in ("weight", "bias"):
            parts = [theirs[f"{_LAYER}{layer}.attention.{part}_lin.{name}"] for part in "qkv"]
            ours[f"blocks.{layer}.attention.qkv.{name}"] = torch.cat(parts)
    surplus = [name for name in theirs if name.startswith(f"{_LAYER}{layers}.")]
    if surplus:
        raise KeyError(surplus[0])
    return ours


def to_transformers(ours: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Rename our weights to transformers'; the inverse of `from_transformers`."""
    theirs = {name: ours[mine] for mine, name in _names(layers).items()}
    for layer in range(layers):
        for name in ("weight", "bias"):
            parts = ours[f"blocks.{layer}.attention.qkv.{name}"].chunk(3)
            theirs |= {f"{_LAYER}{layer}.attention.{q}_lin.{name}": part for q, part in zip("qkv", parts, strict=True)}
    return theirs


def _names(layers: int) -> dict[str, str]:
    """Map our name to theirs for every weight that both have."""
    modules = _OUTSIDE_LAYERS | {
        f"blocks.{layer}.{mine}": f"{_LAYER}{layer}.{name}"
        for layer in range(layers)
        for mine, name in _IN_A_LAYER.items()
    }
    names = {f"{mine}.{part}": f"{name}.{part}" for mine, name in modules.items() for part in ("weight", "bias")}
    return names | {f"{mine}.weight": f"{name}.weight" for mine, name in _EMBEDDINGS.items()}
