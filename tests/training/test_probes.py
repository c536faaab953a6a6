"""The sentences and messages written for this project, and what the bundled classifier says of them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.probes import NEUTRAL, neutral_sentences, probe_texts, review_messages, support_messages
from emotion_udf.settings.labelled import SourceSettings
from emotion_udf.training.data import read_extra_sentences
from emotion_udf.training.evaluate import predict
from emotion_udf.training.probes import canary, measure_probes
from emotion_udf.training.sources import read_source


@pytest.fixture(scope="module")
def bundled() -> Classifier:
    return load_classifier(open_artifact(ArtifactSource()), "cpu")


MESSAGES = {"reviews": review_messages(), "support": support_messages()}
ALL_TEXTS = probe_texts() + [text for messages in MESSAGES.values() for text, _ in messages]


def plain(texts: list[str]) -> list[str]:
    """Write texts as dair-ai/emotion does: lower-case words and nothing else."""
    return [" ".join("".join(c for c in t.lower() if c.isalnum() or c.isspace()).split()) for t in texts]


def test_there_are_20_canary_sentences_an_emotion() -> None:
    assert Counter(canary().labels) == dict.fromkeys(range(len(EMOTIONS)), 20)


def test_there_are_at_least_100_neutral_sentences() -> None:
    assert len(neutral_sentences()) >= 100
    assert all(text.strip() == text != "" for text in neutral_sentences())


@pytest.mark.parametrize("domain", MESSAGES)
def test_there_are_18_messages_of_each_label(domain: str) -> None:
    labels = Counter(label for _, label in MESSAGES[domain])
    assert labels == dict.fromkeys([*EMOTIONS, NEUTRAL], 18)


@pytest.mark.parametrize("domain", MESSAGES)
def test_messages_are_short_and_long(domain: str) -> None:
    words = [len(text.split()) for text, _ in MESSAGES[domain]]
    assert min(words) == 5
    assert 105 <= max(words) <= 120
    assert sum(count <= 10 for count in words) >= 5
    assert sum(count >= 80 for count in words) >= 5


def test_messages_are_as_written() -> None:
    assert all(text == " ".join(text.split()) != "" for text in ALL_TEXTS)
    texts = [text for messages in MESSAGES.values() for text, _ in messages]
    assert any(text.islower() for text in texts)
    assert sum(text == text.lower() for text in texts) >= 50, "sloppy writing"
    assert "Same cable, two metres, white." in texts
    assert any(";" in text for text in texts)


def test_no_two_probes_are_the_same() -> None:
    assert [text for text, count in Counter(plain(ALL_TEXTS)).items() if count > 1] == []


def test_no_probe_is_in_the_data_set(data: Path) -> None:
    splits = read_source(SourceSettings(name="emotion", path=str(data / "emotion")))
    known = {text for split in splits.values() for text in plain(split.texts)}
    assert len(known) > 19_000
    assert [text for text in plain(ALL_TEXTS) if text in known] == []


def test_no_probe_is_among_the_sentences_that_training_may_see() -> None:
    seen = set(plain(read_extra_sentences().texts))
    assert [text for text in plain(ALL_TEXTS) if text in seen] == []


def word_groups(texts: list[str], words: int = 6) -> set[tuple[str, ...]]:
    """Return all sequences of so many words."""
    split = [text.split() for text in plain(texts)]
    return {tuple(text[start : start + words]) for text in split for start in range(len(text) - words + 1)}


def test_messages_share_no_phrase_with_the_sentences_that_training_may_see() -> None:
    messages = word_groups([text for several in MESSAGES.values() for text, _ in several])
    assert len(messages) > 5_000
    assert messages & word_groups(read_extra_sentences().texts) == set()
    assert messages & word_groups(probe_texts()) == set()


def test_the_figures_are_shares_of_the_sentences(bundled: Classifier) -> None:
    found = measure_probes(bundled)
    given = bundled.score(canary().texts).probabilities.argmax(axis=1)
    assert found.canary_accuracy == (given == canary().labels).mean()
    confidence = bundled.score(neutral_sentences()).probabilities.max(axis=1)
    threshold = np.float32(bundled.artifact.configuration.confident_from)
    assert found.neutral_set_aside == (confidence < threshold).mean()
    assert found.neutral_sentences == len(neutral_sentences())


def test_the_bundled_classifier_labels_every_canary_sentence_right(bundled: Classifier) -> None:
    sentences = canary()
    given = predict(bundled, sentences).probabilities.argmax(axis=1)
    wrong = [
        f"{text!r} is {EMOTIONS[label]}, found {EMOTIONS[found]}"
        for text, label, found in zip(sentences.texts, sentences.labels, given, strict=True)
        if label != found
    ]
    assert not wrong, "\n".join(wrong)
