"""Read and check the `config.json` of a DistilBERT classifier, in transformers' names."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError

OWN_SECTION: Final = "emotion_udf"
"""The key of `config.json` under which stands what transformers has no name for."""

DEFAULT_MIN_CONFIDENCE: Final = 0.5
"""The threshold of models that have none of their own."""

_SIZES = ("dim", "hidden_dim", "n_heads", "n_layers", "vocab_size", "max_position_embeddings")
_GENERIC_LABEL = re.compile(r"LABEL_\d+")


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of the network, and how its probabilities are read.

    Attributes:
        dim: Width of a token's vector; a multiple of `n_heads`.
        hidden_dim: Width inside the feed-forward part.
        n_heads: Attention heads.
        n_layers: Encoder layers.
        vocab_size: Token ids.
        max_position_embeddings: The longest input in tokens, special tokens included.
        temperature: Divisor of the logits that calibrated them; the weights hold it already.
        min_confidence: The least confidence of a label that counts as confident.
    """

    dim: int
    hidden_dim: int
    n_heads: int
    n_layers: int
    vocab_size: int
    max_position_embeddings: int
    temperature: float | None = None
    min_confidence: float = DEFAULT_MIN_CONFIDENCE


def read_configuration(file: Path, stated_labels: Sequence[str] | None = None) -> ModelConfig:
    """Read `config.json` and check that it describes a DistilBERT classifier of the six emotions, in their order.

    Args:
        file: A `config.json` of transformers.
        stated_labels: The meaning of `LABEL_0 … LABEL_5`, where the file says no more than that.

    Raises:
        ModelError: The file cannot be read, or describes something else.
    """
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        model_type = config["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"expected a model configuration in {file}, found no readable one") from error
    architectures = config.get("architectures")
    if model_type != "distilbert" or "DistilBertForSequenceClassification" not in (architectures or []):
        raise ModelError(
            f"expected DistilBertForSequenceClassification in {file}, found model_type {model_type!r} with "
            f"architectures {architectures}; name a fine-tuned DistilBERT classifier"
        )
    _check_labels(_labels(config), stated_labels, file)
    return _model_config(config, file)


def _model_config(config: dict[str, Any], file: Path) -> ModelConfig:
    sizes = {name: config.get(name) for name in _SIZES}
    odd = {name: size for name, size in sizes.items() if type(size) is not int or size < 1}
    if odd:
        found = ", ".join(f"{name} = {size!r}" for name, size in odd.items())
        raise ModelError(f"expected positive whole numbers for the network's sizes in {file}, found {found}")
    if config["dim"] % config["n_heads"]:
        raise ModelError(
            f"expected dim to be a multiple of n_heads in {file}, found {config['dim']} and {config['n_heads']}"
        )
    if config.get("activation", "gelu") != "gelu":
        raise ModelError(f"expected the activation gelu in {file}, found {config['activation']!r}")
    temperature = _own_number(config, "temperature", 1e-3, 1e3, file)
    min_confidence = _own_number(config, "min_confidence", 0.0, 1.0, file)
    return ModelConfig(
        **{name: int(config[name]) for name in _SIZES},
        temperature=temperature,
        min_confidence=DEFAULT_MIN_CONFIDENCE if min_confidence is None else min_confidence,
    )


def _own_number(config: dict[str, Any], name: str, least: float, most: float, file: Path) -> float | None:
    """Read one of the numbers that training leaves under `OWN_SECTION`; other models have none."""
    section = config.get(OWN_SECTION, {})
    value = section.get(name) if isinstance(section, dict) else section
    if value is None:
        return None
    if type(value) not in (int, float) or not least <= value <= most:
        raise ModelError(f"expected {OWN_SECTION}.{name} from {least} to {most} in {file}, found {value!r}")
    return float(value)


def _labels(config: dict[str, Any]) -> list[str]:
    """Return the labels in the order of their ids; none when the ids are not numbers."""
    by_id = config.get("id2label")
    if not isinstance(by_id, dict) or not all(str(i).isdecimal() for i in by_id):
        return []
    return [str(by_id[i]) for i in sorted(by_id, key=int)]


def _check_labels(labels: list[str], stated: Sequence[str] | None, file: Path) -> None:
    """Refuse a model whose label ids do not mean the six emotions in their order."""
    if stated and labels and all(_GENERIC_LABEL.fullmatch(label) for label in labels):
        labels = list(stated)
    if tuple(label.lower() for label in labels) != EMOTIONS:
        raise ModelError(
            f"expected the labels {', '.join(EMOTIONS)} in this order in {file}, found "
            f"{', '.join(labels) or 'none'}; name a model trained on these labels, or, when its configuration only "
            "says LABEL_0 … LABEL_5, state their meaning in classifier.labels"
        )
