"""Small models with random weights."""

from typing import Any

import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertForSequenceClassification

from emotion_udf.emotions import EMOTIONS

TINY: dict[str, Any] = {
    "vocab_size": 30522,
    "max_position_embeddings": 64,
    "id2label": dict(enumerate(EMOTIONS)),
    "label2id": {emotion: i for i, emotion in enumerate(EMOTIONS)},
}


def random_weights(model: torch.nn.Module, seed: int) -> None:
    """Fill a model with weights large enough that every one of them changes the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)


def tiny_distilbert(seed: int = 0, **config: Any) -> DistilBertForSequenceClassification:
    """A DistilBERT classifier of 2 layers and width 32."""
    shape = {"n_layers": 2, "n_heads": 4, "dim": 32, "hidden_dim": 64}
    model = DistilBertForSequenceClassification(DistilBertConfig(**TINY | shape | config))
    random_weights(model, seed)
    model.train(False)
    return model


def tiny_bert(seed: int = 0) -> BertModel:
    """A BERT encoder of the same shape."""
    config = BertConfig(
        vocab_size=TINY["vocab_size"],
        max_position_embeddings=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        hidden_size=32,
        intermediate_size=64,
    )
    model = BertModel(config, add_pooling_layer=False)
    random_weights(model, seed)
    model.train(False)
    return model
