"""Soft labels: written by teachers, read by students."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.errors import ModelError
from emotion_udf.training.soft_labels import SOFT_LABELS, in_fold, teacher_probabilities, write_soft_labels
from tests.helpers.training import Trained

ROWS = np.eye(7, dtype=np.float32)


def teacher(folder: Path, **said: int) -> str:
    """Write what a teacher says: of each text, a class that it is sure of."""
    folder.mkdir()
    write_soft_labels(folder / SOFT_LABELS, list(said), ROWS[list(said.values())])
    return str(folder)


@given(st.text(), st.integers(2, 9))
def test_a_text_is_in_one_fold_with_its_copies(text: str, folds: int) -> None:
    of = [fold for fold in range(folds) if in_fold(text, fold, folds)]
    assert len(of) == 1
    assert in_fold(f"{text} ", of[0], folds)


def test_folds_are_of_about_the_same_size() -> None:
    counts = [sum(in_fold(f"text {i}", fold, 4) for i in range(2000)) for fold in range(4)]
    assert min(counts) > 400


def test_teachers_are_averaged_where_they_speak(tmp_path: Path) -> None:
    folders = [teacher(tmp_path / "a", both=0, first=6), teacher(tmp_path / "b", both=2)]
    found = teacher_probabilities(folders, ["first", "neither", "both", "first"])
    assert found is not None
    assert found[0].tolist() == ROWS[6].tolist() == found[3].tolist()
    assert found[1].isnan().all()
    assert found[2].tolist() == ((ROWS[0] + ROWS[2]) / 2).tolist()


def test_no_text_is_stored(tmp_path: Path) -> None:
    teacher(tmp_path / "a", private=1)
    assert pq.read_schema(tmp_path / "a" / SOFT_LABELS).names[0] == "digest"
    assert b"private" not in (tmp_path / "a" / SOFT_LABELS).read_bytes()


def test_a_classifier_is_a_teacher_that_never_says_neutral(trained: Trained) -> None:
    texts = ["i feel happy", "i feel gloomy"]
    found = teacher_probabilities([str(trained.folder)], texts, "cpu")
    scores = load_classifier(open_artifact(ArtifactSource(str(trained.folder))), "cpu").score(texts)
    assert found is not None
    np.testing.assert_array_equal(found[:, :6].numpy(), scores.probabilities)
    assert (found[:, 6] == 0).all()


def test_without_teachers_nothing_is_said(tmp_path: Path) -> None:
    assert teacher_probabilities([], ["a"]) is None
    with pytest.raises(ModelError):
        teacher_probabilities([str(tmp_path)], ["a"])
