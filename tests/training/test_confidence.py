"""The temperature and threshold that are chosen on the validation sentences of all sources."""

import numpy as np
import torch

from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.labelled import SourceSettings
from emotion_udf.settings.training import ConfidenceSettings
from emotion_udf.training.batches import encode
from emotion_udf.training.calibrate import fit_temperature
from emotion_udf.training.confidence import calibrate
from emotion_udf.training.data import Corpus, Source
from emotion_udf.training.labels import NEUTRAL, LabelledTexts, label_number
from emotion_udf.training.validation import logits_of
from tests.helpers.training import VALIDATION, Start, corpus


def test_one_source_has_the_temperature_that_fits_it(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start()
    logits = logits_of(network, encode(VALIDATION, tokenizer))
    found = calibrate(network, corpus(), tokenizer, ConfidenceSettings(accuracy=0.1))
    assert found["temperature"] == fit_temperature(logits.numpy(), np.array(VALIDATION.labels))
    after = logits_of(network, encode(VALIDATION, tokenizer))
    torch.testing.assert_close(after, logits / found["temperature"], atol=1e-4, rtol=1e-4)


def with_neutral(accuracy: float | None = None) -> Corpus:
    """The toy source, and one whose sentences are half neutral and half positive."""
    texts = [f"a {word}" for word in ("parcel", "table", "train", "door")]
    labels = [NEUTRAL, NEUTRAL, label_number([1, 2]), label_number(range(6))]
    settings = SourceSettings(name="other", path=".", confident_accuracy=accuracy)
    return Corpus([*corpus().sources, Source(settings, {"validation": LabelledTexts(texts, labels)})])


def test_few_neutral_sentences_reach_the_threshold(start: Start, tokenizer: MessageTokenizer) -> None:
    anything = ConfidenceSettings(accuracy=0.01)
    strict = ConfidenceSettings(accuracy=0.01, max_neutral=0.0)
    network = start()
    assert calibrate(start(), with_neutral(), tokenizer, anything)["min_confidence"] == 0
    threshold = calibrate(network, with_neutral(), tokenizer, strict)["min_confidence"]
    neutral = with_neutral().held_out("validation")["other"].neutral
    confidence = logits_of(network, encode(neutral, tokenizer)).softmax(dim=1).amax(dim=1)
    assert (confidence < threshold).all()


def test_a_source_may_ask_for_more_than_others(start: Start, tokenizer: MessageTokenizer) -> None:
    settings = ConfidenceSettings(accuracy=0.01)
    (toy,) = corpus(confident_accuracy=1.0).sources
    eager, strict = (
        calibrate(start(), Corpus([source]), tokenizer, settings)["min_confidence"]
        for source in (*corpus().sources, toy)
    )
    assert eager == 0
    assert strict > eager
