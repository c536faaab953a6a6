"""The classifier's network while it is trained: gradients and dropout."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import DistilBert, Dropout
from emotion_udf.classifier.packing import pack
from emotion_udf.classifier.weights import from_transformers, to_transformers
from tests.helpers.models import tiny_distilbert

SIZES = ModelConfig(dim=32, hidden_dim=64, n_heads=4, n_layers=2, vocab_size=30522, max_position_embeddings=64)


def test_gradients_are_those_of_transformers() -> None:
    stock = tiny_distilbert(dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0).train()
    ours = DistilBert(SIZES)
    ours.load_state_dict(from_transformers(dict(stock.state_dict()), SIZES.n_layers))
    ours.train()
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(1, 30522, (length,), generator=generator).tolist() for length in (9, 4, 4, 1, 30)]
    labels = torch.tensor([0, 5, 2, 3, 1])
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)

    their_loss = stock(input_ids=ids, attention_mask=(ids > 0).long(), labels=labels).loss
    our_loss = F.cross_entropy(ours(*pack(rows)), labels)
    their_loss.backward()
    our_loss.backward()

    assert our_loss.item() == pytest.approx(their_loss.item(), abs=1e-5)
    gradients = {name: weight.grad for name, weight in ours.named_parameters() if weight.grad is not None}
    found = to_transformers(gradients, SIZES.n_layers)
    expected = {name: weight.grad for name, weight in stock.named_parameters()}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0, name
        np.testing.assert_allclose(found[name].numpy(), gradient.numpy(), atol=1e-5, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("place", ["dropout", "attention_dropout", "seq_classif_dropout"])
def test_every_dropout_acts_in_training_and_only_there(place: str) -> None:
    network = DistilBert(SIZES, Dropout(**{place: 0.5}))
    network.load_state_dict(from_transformers(dict(tiny_distilbert().state_dict()), SIZES.n_layers))
    batch = pack([[101, 5, 9, 102], [101, 6, 7, 102]])
    with torch.inference_mode():
        still = [network.eval()(*batch) for _ in range(2)]
        dropped = [network.train()(*batch) for _ in range(2)]
    assert torch.equal(*still)
    assert not torch.equal(*dropped)
