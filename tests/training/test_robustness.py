import pytest

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.training.augmentation import REWRITES
from emotion_udf.training.evaluate import predict
from emotion_udf.training.labels import LabelledTexts
from emotion_udf.training.robustness import measure_robustness
from tests.helpers.training import TEST, VALIDATION, Trained


@pytest.fixture(scope="module")
def tiny(trained: Trained) -> Classifier:
    return load_classifier(open_artifact(ArtifactSource(str(trained.folder))), "cpu")


def test_every_kind_is_measured_and_their_mixture(tiny: Classifier) -> None:
    found = measure_robustness(tiny, VALIDATION)
    assert list(found) == [*REWRITES, "mixed"]
    for name, measured in found.items():
        assert 0 <= measured.changed <= 1, name
        assert 0 <= measured.accuracy <= 1, name
        assert 1 - measured.changed <= measured.kept <= 1, name  # what was not changed keeps its label
    assert found["links"].changed == found["names"].changed == 1


def test_it_is_the_same_when_measured_again(tiny: Classifier) -> None:
    few = LabelledTexts(VALIDATION.texts[:12], VALIDATION.labels[:12])
    assert measure_robustness(tiny, few) == measure_robustness(tiny, few)


def test_what_cannot_be_rewritten_stays_as_it_is(tiny: Classifier) -> None:
    furious = LabelledTexts([text for text, label in zip(TEST.texts, TEST.labels, strict=True) if label == 3], [3] * 10)
    found = measure_robustness(tiny, furious)["emoticons"]  # there is none for anger
    before = float(predict(tiny, furious).correct.mean())
    assert (found.changed, found.kept, found.accuracy) == (0, 1, before)


def test_capitals_mean_nothing_to_a_tokenizer_without_case(tiny: Classifier) -> None:
    found = measure_robustness(tiny, VALIDATION)["capitals"]
    assert found.changed == 1
    assert found.kept == 1
    assert found.accuracy == float(predict(tiny, VALIDATION).correct.mean())
