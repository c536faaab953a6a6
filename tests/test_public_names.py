"""The package's front door, and what passing through it loads."""

import subprocess
import sys

import pytest

import emotion_udf
from emotion_udf import errors
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.udf import make_emotion_udf, register_emotion_udf

SPARK_SIDE = {"pyspark", "pandas", "pydantic", "transformers"}
MODEL_SIDE = {"torch", "transformers", "tokenizers"}
ERRORS = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.EmotionUdfError)
}


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh Python has loaded after `statement`."""
    script = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_front_door_is_the_udf_its_settings_and_the_emotions() -> None:
    assert {name: getattr(emotion_udf, name) for name in emotion_udf.__all__ if name not in ERRORS} == {
        "EMOTIONS": ("sadness", "joy", "love", "anger", "fear", "surprise"),
        "ClassifierSettings": ClassifierSettings,
        "__version__": "0.1.0",
        "make_emotion_udf": make_emotion_udf,
        "register_emotion_udf": register_emotion_udf,
    }


def test_every_error_of_the_tree_is_public() -> None:
    assert "GateError" in ERRORS
    assert {name: getattr(emotion_udf, name) for name in ERRORS} == ERRORS
    assert set(emotion_udf.__all__) >= set(ERRORS)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'emotion_udf' has no attribute 'nothing'"):
        emotion_udf.nothing  # noqa: B018
    with pytest.raises(ImportError):
        from emotion_udf import nothing  # noqa: F401


def test_the_package_alone_loads_neither_spark_nor_the_model() -> None:
    assert loaded_by("import emotion_udf") & (SPARK_SIDE | MODEL_SIDE) == set()


def test_the_classifier_runs_without_spark_and_pandas() -> None:
    loaded = loaded_by("import emotion_udf.classifier.classifier")
    assert "torch" in loaded
    assert loaded & SPARK_SIDE == set()


def test_the_jobs_of_training_load_no_model_before_their_usage_is_right() -> None:
    loaded = loaded_by("from emotion_udf.jobs import evaluate_classifier, train_classifier")
    assert loaded & (MODEL_SIDE | {"pyspark", "sklearn", "altair"}) == set()


def test_the_driver_loads_no_model() -> None:
    night = "import emotion_udf.jobs.score_feedback\nfrom emotion_udf import make_emotion_udf\nmake_emotion_udf()"
    loaded = loaded_by(night)
    assert "pyspark" in loaded
    assert loaded & MODEL_SIDE == set()
