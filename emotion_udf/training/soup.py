"""The mean of classifiers that were trained from one base (Wortsman et al., Model soups, 2022)."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import torch
from torch import Tensor

from emotion_udf.classifier.artifact import TOKENIZER, WEIGHTS, Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.weights import load_distilbert
from emotion_udf.errors import UsageError
from emotion_udf.training.validation import Measured, Validation

_sizes = attrgetter("dim", "hidden_dim", "n_heads", "n_layers", "vocab_size", "max_position_embeddings")


@dataclass(frozen=True)
class Ingredient:
    """One of the classifiers.

    Attributes:
        name: Its folder's name.
        measured: Its loss and accuracy on validation, temperature included.
    """

    name: str
    measured: Measured


@dataclass(frozen=True)
class Soup:
    """The mean.

    Attributes:
        network: In fp32, on the CPU; it wants a temperature, for heads of several seeds point elsewhere, and the
            logits of their mean are small.
        ingredients: The classifiers that it is the mean of.
    """

    network: DistilBert
    ingredients: list[Ingredient]


def open_ingredients(folders: Sequence[str], sizes: ModelConfig, tokenizer_json: str) -> list[Artifact]:
    """Open the classifiers of a soup.

    Args:
        folders: Model folders.
        sizes: The sizes that all of them must have.
        tokenizer_json: The tokenizer that all of them must have: embeddings of other tokens have no mean.

    Raises:
        ModelError: A folder holds no classifier of the six emotions.
        UsageError: A classifier has other sizes or another tokenizer.
    """
    artifacts = [open_artifact(ArtifactSource(folder)) for folder in folders]
    for artifact in artifacts:
        if _sizes(artifact.configuration) != _sizes(sizes):
            raise _of_another_base(artifact, "sizes")
        if (artifact.folder / TOKENIZER).read_text(encoding="utf-8") != tokenizer_json:
            raise _of_another_base(artifact, "tokenizer")
    return artifacts


def average_classifiers(
    artifacts: Sequence[Artifact], validation: Validation, weights: Sequence[float] = (), device: str = "cpu"
) -> Soup:
    """Average classifiers, and measure each of them.

    Args:
        artifacts: As `open_ingredients` gives them, at least one.
        validation: Sentences to measure on.
        weights: Of each classifier in the mean; by default all the same.
        device: The device to measure on.
    """
    networks = [_load(artifact) for artifact in artifacts]
    ingredients = [
        Ingredient(artifact.folder.name, validation.measure(network.to(device)))
        for artifact, network in zip(artifacts, networks, strict=True)
    ]
    return Soup(_mean([network.cpu() for network in networks], weights), ingredients)


def average(artifacts: Sequence[Artifact], weights: Sequence[float] = ()) -> DistilBert:
    """Average the weights of classifiers, heads included.

    Each comes with its temperature, so no head counts for more because its logits are larger.

    Args:
        artifacts: As `open_ingredients` gives them, at least one.
        weights: Of each classifier in the mean; by default all the same.
    """
    return _mean([_load(artifact) for artifact in artifacts], weights)


def _load(artifact: Artifact) -> DistilBert:
    return load_distilbert(artifact.configuration, artifact.folder / WEIGHTS)


def _mean(networks: Sequence[DistilBert], weights: Sequence[float]) -> DistilBert:
    """Return the mean in the place of the first network."""
    shares = torch.tensor(weights or [1.0] * len(networks))
    shares = shares / shares.sum()
    states = [network.state_dict() for network in networks]
    mean: dict[str, Tensor] = {
        name: torch.tensordot(shares, torch.stack([state[name] for state in states]), dims=1) for name in states[0]
    }
    networks[0].load_state_dict(mean)
    return networks[0]


def _of_another_base(artifact: Artifact, other: str) -> UsageError:
    return UsageError(
        f"expected the {other} of base.model in {artifact.folder}, found another; soup.of names classifiers that were "
        "trained from this base, with the same message_rules"
    )
