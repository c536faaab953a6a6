"""A DistilBERT classifier to start from: the encoder of a DistilBERT, or of a BERT of the same shape."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, BertModel, DistilBertConfig, DistilBertForSequenceClassification

from emotion_udf.emotions import EMOTIONS

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


def initialise(base: Path) -> DistilBertForSequenceClassification:
    """Load the encoder of `base` under a fresh six-emotion head.

    Args:
        base: A folder in transformers' form, of the `distilbert` or `bert` architecture.
    """
    load: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False, "dtype": torch.float32}
    if AutoConfig.from_pretrained(base, trust_remote_code=False).model_type == "bert":
        return _from_bert(BertModel.from_pretrained(base, add_pooling_layer=False, **load))
    model: DistilBertForSequenceClassification = DistilBertForSequenceClassification.from_pretrained(
        base, **_HEAD, **load
    )
    return model


def _from_bert(bert: BertModel) -> DistilBertForSequenceClassification:
    """Rename BERT's weights to DistilBERT's; the one token type in use is added to the positions."""
    config = bert.config
    model = DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.max_position_embeddings,
            n_layers=config.num_hidden_layers,
            n_heads=config.num_attention_heads,
            dim=config.hidden_size,
            hidden_dim=config.intermediate_size,
            activation=config.hidden_act,
            **_HEAD,
        )
    )
    source = bert.state_dict()
    embeddings = {f"embeddings.{name}": source[f"embeddings.{name}"] for name in _EMBEDDING_NAMES}
    embeddings["embeddings.position_embeddings.weight"] = (
        source["embeddings.position_embeddings.weight"] + source["embeddings.token_type_embeddings.weight"][0]
    )
    layers = {
        f"transformer.layer.{layer}.{ours}.{kind}": source[f"encoder.layer.{layer}.{theirs}.{kind}"]
        for layer in range(config.num_hidden_layers)
        for theirs, ours in _LAYER_NAMES.items()
        for kind in ("weight", "bias")
    }
    model.distilbert.load_state_dict(embeddings | layers)
    return model
