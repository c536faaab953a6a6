"""A network measured on the held-out sentences of several sources."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from emotion_udf.classifier.packing import pack
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.labelled import SourceSettings
from emotion_udf.training.batches import encode
from emotion_udf.training.data import Corpus, Source
from emotion_udf.training.labels import NEUTRAL, LabelledTexts, label_number
from emotion_udf.training.validation import logits_of, measure, prepare_validation
from tests.helpers.training import VALIDATION, Start, corpus, sentences


def test_logits_are_in_the_order_of_the_sentences(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start()
    encoded = encode(sentences(150, 7), tokenizer)
    together = logits_of(network, encoded)
    with torch.inference_mode():
        alone = torch.cat([network(*pack([ids])) for ids in encoded.token_ids])
    assert together.shape == (150, 6)
    np.testing.assert_allclose(together.numpy(), alone.numpy(), atol=1e-5, rtol=0)


def test_the_measure_is_loss_and_accuracy(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start().train()
    encoded = encode(VALIDATION, tokenizer)
    logits, labels = logits_of(network, encoded), torch.tensor(encoded.labels)
    loss, accuracy = measure(network.train(), encoded)
    assert loss == pytest.approx(F.cross_entropy(logits, labels).item(), abs=1e-6)
    assert accuracy == (logits.argmax(dim=1) == labels).double().mean().item()


def test_a_partial_label_is_right_where_it_fits(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start()
    encoded = encode(LabelledTexts(VALIDATION.texts, [label_number([1, 2])] * 60), tokenizer)
    probabilities = logits_of(network, encoded).softmax(dim=1)
    loss, accuracy = measure(network, encoded)
    assert loss == pytest.approx(-probabilities[:, 1:3].sum(dim=1).log().mean().item(), abs=1e-6)
    assert accuracy == np.isin(probabilities.argmax(dim=1).numpy(), [1, 2]).mean()


def test_the_mean_is_over_sources_and_neutral_sentences_have_no_say(start: Start, tokenizer: MessageTokenizer) -> None:
    (toy,) = corpus().sources
    few = LabelledTexts(["i feel tender", "a parcel"], [label_number([1, 2]), NEUTRAL])
    neutral = LabelledTexts(["a table"], [NEUTRAL])
    settings = SourceSettings(name="few", path=".", choice_weight=2.0)
    both = Corpus(
        [toy, Source(settings, {"validation": few}), Source(SourceSettings(name="none", path="."), {"test": neutral})]
    )
    network = start()
    measured = prepare_validation(both, tokenizer).measure(network)
    expected = {
        "toy": measure(network, encode(VALIDATION, tokenizer)),
        "few": measure(network, encode(few.partial, tokenizer)),
    }
    assert measured.domains == {name: accuracy for name, (_, accuracy) in expected.items()}
    assert measured.accuracy == pytest.approx((expected["toy"][1] + 2 * expected["few"][1]) / 3)
    assert measured.loss == pytest.approx((expected["toy"][0] + 2 * expected["few"][0]) / 3)
