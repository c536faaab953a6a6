"""A network to start from: the encoder of a DistilBERT, or of a BERT of the same shape, under a new head."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    DistilBertModel,
)
from transformers.utils import logging

from emotion_udf.classifier.artifact import CONFIG, TOKENIZER, WEIGHTS
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import LAYER_NORM_EPSILON, DistilBert, Dropout
from emotion_udf.classifier.hub import is_hub_id, snapshot
from emotion_udf.classifier.weights import from_transformers
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError
from emotion_udf.settings.training import BaseModelSettings

_FILES = (CONFIG, TOKENIZER, WEIGHTS)
_HEAD: dict[str, Any] = {
    "num_labels": len(EMOTIONS),
    "id2label": dict(enumerate(EMOTIONS)),
    "label2id": {emotion: i for i, emotion in enumerate(EMOTIONS)},
}
_EMBEDDING_NAMES = ("word_embeddings.weight", "LayerNorm.weight", "LayerNorm.bias")
_LAYER_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


@dataclass(frozen=True)
class PretrainedModel:
    """A network to start training from.

    Attributes:
        network: Pre-trained layers under a new head of six emotions.
        sizes: The sizes of the network.
        config: What transformers' `config.json` says of it.
    """

    network: DistilBert
    sizes: ModelConfig
    config: dict[str, Any]


def find_base(settings: BaseModelSettings) -> Path:
    """Return the base's folder, downloaded if it is named by a Hub id.

    Raises:
        UsageError: There is no such encoder, or files are missing.
    """
    folder = Path(settings.model)
    if not folder.is_dir():
        if "/" in settings.model and not is_hub_id(settings.model):
            raise UsageError(f"expected an encoder in the folder {folder}, found no such folder; set base.model")
        folder = snapshot(settings.model, settings.revision, _FILES)
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"expected an encoder in {folder}, found no {', '.join(missing)}; set base.model")
    return folder


def initialise(base: Path, seed: int) -> PretrainedModel:
    """Load the encoder of `base` under a fresh head.

    Args:
        base: A folder in transformers' form, of the `distilbert` or `bert` architecture.
        seed: Of the head.

    Raises:
        UsageError: The base is of another architecture, or cannot be read.
    """
    # transformers would list the pooler of a BERT, which nobody needs, as a surprise.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        config, encoder = _load_encoder(base)
    except UsageError:
        raise
    except Exception as error:  # transformers and safetensors raise errors of many types
        raise UsageError(f"expected an encoder in {base}, found files that transformers cannot load") from error
    if config.activation != "gelu":
        raise UsageError(f"expected the activation gelu in {base}, found {config.activation}; the network has no other")
    torch.manual_seed(seed)
    model = DistilBertForSequenceClassification(config)
    model.distilbert.load_state_dict(encoder)
    sizes = ModelConfig(
        dim=config.dim,
        hidden_dim=config.hidden_dim,
        n_heads=config.n_heads,
        n_layers=config.n_layers,
        vocab_size=config.vocab_size,
        max_position_embeddings=config.max_position_embeddings,
    )
    network = DistilBert(sizes, Dropout(config.dropout, config.attention_dropout, config.seq_classif_dropout))
    network.load_state_dict(from_transformers(dict(model.state_dict()), sizes.n_layers))
    return PretrainedModel(network, sizes, config.to_dict())


def _load_encoder(base: Path) -> tuple[DistilBertConfig, dict[str, Tensor]]:
    """Return the configuration, with six labels, and the encoder's weights in DistilBERT's names."""
    architecture = AutoConfig.from_pretrained(base, trust_remote_code=False).model_type
    if architecture == "bert":
        bert = _load_whole(BertModel, base, add_pooling_layer=False)
        return _distilbert_config(bert.config, base), _rename(bert)
    if architecture == "distilbert":
        encoder = _load_whole(DistilBertModel, base)
        config: DistilBertConfig = DistilBertConfig.from_pretrained(base, **_HEAD)
        return config, dict(encoder.state_dict())
    raise UsageError(f"expected an encoder of the distilbert or bert architecture in {base}, found {architecture}")


def _load_whole(model_class: Any, base: Path, **options: Any) -> Any:
    """Load an encoder and see that the file holds the layers that the configuration describes, no fewer and no more.

    Raises:
        UsageError: Weights are missing, which transformers would fill with random numbers, or layers are left over.
    """
    load = {"use_safetensors": True, "trust_remote_code": False, "dtype": torch.float32}
    model, found = model_class.from_pretrained(base, output_loading_info=True, **load, **options)
    missing = sorted(found["missing_keys"])
    surplus = sorted(name for name in found["unexpected_keys"] if ".layer." in name)
    if missing or surplus:
        wrong = f"no {missing[0]}" if missing else f"{surplus[0]}, of which the configuration knows nothing"
        raise UsageError(
            f"expected the weights of config.json in {base}, found {wrong}; take the base from its source again"
        )
    return model


def _distilbert_config(bert: BertConfig, base: Path) -> DistilBertConfig:
    if bert.layer_norm_eps != LAYER_NORM_EPSILON:
        raise UsageError(
            f"expected layer_norm_eps {LAYER_NORM_EPSILON} in {base}, which DistilBERT has fixed, "
            f"found {bert.layer_norm_eps}"
        )
    return DistilBertConfig(
        vocab_size=bert.vocab_size,
        max_position_embeddings=bert.max_position_embeddings,
        n_layers=bert.num_hidden_layers,
        n_heads=bert.num_attention_heads,
        dim=bert.hidden_size,
        hidden_dim=bert.intermediate_size,
        activation=bert.hidden_act,
        **_HEAD,
    )


def _rename(bert: BertModel) -> dict[str, Tensor]:
    """Rename BERT's weights to DistilBERT's; the one token type in use is added to the positions."""
    source = bert.state_dict()
    embeddings = {f"embeddings.{name}": source[f"embeddings.{name}"] for name in _EMBEDDING_NAMES}
    embeddings["embeddings.position_embeddings.weight"] = (
        source["embeddings.position_embeddings.weight"] + source["embeddings.token_type_embeddings.weight"][0]
    )
    return embeddings | {
        f"transformer.layer.{layer}.{ours}.{name}": source[f"encoder.layer.{layer}.{theirs}.{name}"]
        for layer in range(bert.config.num_hidden_layers)
        for theirs, ours in _LAYER_NAMES.items()
        for name in ("weight", "bias")
    }
