"""Teachers: a network with an output for neutral, which labels what it has not seen."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from emotion_udf.classifier.packing import pack
from emotion_udf.settings.labelled import CLASSES
from emotion_udf.settings.training import OutputSettings, TeacherSettings, TrainSettings
from emotion_udf.training.soft_labels import SOFT_LABELS, in_fold, teacher_probabilities
from emotion_udf.training.teacher import load_teacher, readable, train_teacher
from tests.helpers.training import TRAIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so &amp; so", "so & so"),
        ("@anna look http://t.co/x now", "look now"),
        ("great 🎉", "great party popper"),
        ("i ❤ it", "i heavy black heart it"),
        ("plain, with a comma!", "plain, with a comma!"),
    ],
)
def test_messages_are_put_into_words(text: str, expected: str) -> None:
    assert " ".join(readable(text).split()) == expected


def test_company_in_a_batch_changes_nothing(recipe: TrainSettings) -> None:
    network = load_teacher(Path(recipe.base.model), seed=1).eval()
    rows = [[101, 5, 9, 102], [101, 6, 7, 102], [101, 102], [101, *range(5, 30), 102]]
    with torch.inference_mode():
        together = network(*pack(sorted(rows, key=len)))
        alone = torch.cat([network(*pack([row])) for row in sorted(rows, key=len)])
    assert together.shape == (4, len(CLASSES))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.fixture
def taught(recipe: TrainSettings, tmp_path: Path) -> Path:
    """The soft labels of a teacher of one fold."""
    settings = recipe.model_copy(
        update={
            "teacher": TeacherSettings(folds=3, fold=1),
            "optimizer": recipe.optimizer.model_copy(update={"epochs": 6}),
            "output": OutputSettings(folder=str(tmp_path / "teacher")),
        }
    )
    best = train_teacher(settings)
    assert best.validation_accuracy > 0.9
    return tmp_path / "teacher"


def test_a_teacher_labels_the_fold_that_it_has_not_seen(taught: Path) -> None:
    own = [row for row, text in enumerate(TRAIN.texts) if in_fold(text, 1, 3)]
    found = teacher_probabilities([str(taught)], TRAIN.texts)
    assert found is not None
    assert np.flatnonzero(found.isfinite().all(dim=1).numpy()).tolist() == own
    assert pq.read_metadata(taught / SOFT_LABELS).num_rows == len(own)
    right = found[own].argmax(dim=1).numpy() == np.array(TRAIN.labels)[own]
    assert right.mean() > 0.9
    assert sorted(path.name for path in taught.parent.iterdir()) == ["labelled", "teacher", "tiny-base"]
