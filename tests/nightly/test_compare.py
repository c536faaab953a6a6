"""Two models on one window: what is counted is what a night of each would publish, and nothing is left behind."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from safetensors.numpy import load_file, save_file

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError
from emotion_udf.nightly import compare
from emotion_udf.nightly.compare import compare_models
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.schemas import LABELS, TEXT_SCORES
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.nightly import GateSettings, NightSettings, ScoreSettings, WarehouseSettings
from emotion_udf.tables.opening import open_warehouse
from emotion_udf.window import Window
from tests.helpers.messages import DAY, input_settings, message, write_messages
from tests.helpers.published import Published

pytestmark = pytest.mark.slow

TEXTS = ["i feel so happy", "i feel so happy", "i feel so happy", "i am furious", "i am scared", "what a day", " "]
DAYS = Window(DAY, DAY)
OLD = ClassifierSettings(precision="fp32")


def night(folder: Path, classifier: ClassifierSettings = OLD, **scores: Any) -> NightSettings:
    return NightSettings(
        input=input_settings(folder / "in"),
        classifier=classifier,
        scores=ScoreSettings(**scores),
        warehouse=WarehouseSettings(root=str(folder / "out")),
        gate=GateSettings(max_quarantined_share=0.9, max_drift=1, max_canary_change=1, max_canary_error_share=1),
    )


def angrier(folder: Path) -> ClassifierSettings:
    """Make a model that finds more anger than the bundled one."""
    shutil.copytree(BUNDLED_FOLDER, folder)
    (folder / "canary.json").unlink()
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][EMOTIONS.index("anger")] += 5
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return ClassifierSettings(model=str(folder), precision="fp32")


@pytest.fixture(scope="module")
def first_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("first")
    write_messages(folder / "in/1.parquet", [message(f"m{n}", text) for n, text in enumerate(TEXTS)])
    return Published(folder, run_night(spark, night(folder), DAYS))


@pytest.fixture
def feed(first_night: Published, tmp_path: Path) -> Path:
    return first_night.copy_to(tmp_path).folder


def published(folder: Path) -> Counter[tuple[str, bool]]:
    rows = DeltaTable(folder / "out" / LABELS).to_pyarrow_table().to_pylist()
    return Counter((row["emotion"], row["is_confident"]) for row in rows)


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in (folder / "out").rglob("*") if file.is_file()}


def test_the_counts_are_those_that_two_nights_would_publish(spark: SparkSession, feed: Path, tmp_path: Path) -> None:
    new = angrier(tmp_path / "angrier")
    settings = night(feed)
    released = open_warehouse(settings.warehouse, spark).release()

    found = compare_models(spark, settings, new, DAYS, open_warehouse(settings.warehouse, spark))

    old_labels: Counter[tuple[str, bool]] = Counter()
    new_labels: Counter[tuple[str, bool]] = Counter()
    for change in found.changes:
        old_labels[change.old_emotion, change.old_confident] += change.feedback_count
        new_labels[change.new_emotion, change.new_confident] += change.feedback_count
    assert old_labels == published(feed)
    assert new_labels != old_labels
    assert found.scored == (0, 4), "the night before has scored the old model's texts"
    assert sum(change.distinct_text_count for change in found.changes) == 4
    assert sum(change.squares for change in found.changes) == 3**2 + 3
    assert open_warehouse(settings.warehouse, spark).release() == released
    assert not list((feed / "out/_staging").iterdir())

    switched = run_night(spark, night(feed, new), DAYS)
    assert (switched.distinct_texts, switched.reused_texts) == (4, 4), "the switch finds its scores"
    assert published(feed) == new_labels


def test_without_a_history_of_scores_nothing_at_all_is_left(spark: SparkSession, feed: Path, tmp_path: Path) -> None:
    settings = night(feed, reuse="night")
    new = angrier(tmp_path / "angrier")
    before = contents(feed)
    found = compare_models(spark, settings, new, DAYS, open_warehouse(settings.warehouse, spark))
    assert found.scored == (4, 4)
    assert contents(feed) == before


def test_a_comparison_that_fails_leaves_no_text(
    spark: SparkSession, feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(compare, "label", fail)
    settings = night(feed)
    before = contents(feed)
    with pytest.raises(OSError, match="disk"):
        compare_models(spark, settings, angrier(tmp_path / "angrier"), DAYS, open_warehouse(settings.warehouse, spark))
    assert contents(feed) == before
    assert len(DeltaTable(feed / "out" / TEXT_SCORES).to_pyarrow_table()) == 4


@pytest.mark.parametrize(
    ("other", "days", "told"),
    [
        (ClassifierSettings(precision="bf16"), DAYS, "expected another model than that of the settings"),
        (ClassifierSettings(model="/nowhere"), DAYS, "/nowhere"),
    ],
)
def test_what_cannot_be_compared_is_told(
    spark: SparkSession, feed: Path, other: ClassifierSettings, days: Window, told: str
) -> None:
    settings = night(feed)
    with pytest.raises(UsageError, match=told):
        compare_models(spark, settings, other, days, open_warehouse(settings.warehouse, spark))
