"""No text is scored twice: not in a night, and not in two."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import GateError
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.nightly.record import RunRecord
from emotion_udf.nightly.scorer import scorer_of
from emotion_udf.schemas import DAILY, LABELS, RUNS, TEXT_SCORES
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.nightly import (
    GateSettings,
    NightSettings,
    Reuse,
    ScoreSettings,
    TermSettings,
    WarehouseSettings,
)
from emotion_udf.window import Window
from tests.helpers.messages import DAY, NOON, input_settings, message, write_messages
from tests.helpers.published import Published

TEXTS = {"a": "i feel so happy", "b": "i feel so happy", "c": "i am furious", "d": "i am scared"}


def night(folder: Path, reuse: Reuse = "history", **classifier: Any) -> NightSettings:
    return NightSettings(
        input=input_settings(folder / "in"),
        classifier=ClassifierSettings(**{"precision": "fp32"} | classifier),
        scores=ScoreSettings(reuse=reuse),
        warehouse=WarehouseSettings(root=str(folder / "out")),
        terms=TermSettings(enabled=False),
        gate=GateSettings(max_quarantined_share=0.9),
    )


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table without the run they come from, in one order."""
    found = DeltaTable(folder / "out" / table).to_pyarrow_table().to_pylist()
    return sorted(({k: v for k, v in row.items() if k != "run_id"} for row in found), key=str)


def texts_of(run: RunRecord) -> tuple[int, int]:
    """How many texts a run scored and how many it took from earlier runs."""
    return run.distinct_texts - run.reused_texts, run.reused_texts


def write_feed(folder: Path) -> Path:
    write_messages(folder / "in/1.parquet", [message(id_, text) for id_, text in TEXTS.items()])
    return folder


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return write_feed(tmp_path)


@pytest.fixture(scope="module")
def first_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = write_feed(tmp_path_factory.mktemp("first"))
    return Published(folder, run_night(spark, night(folder), Window(DAY, DAY)))


@pytest.fixture
def published(first_night: Published, tmp_path: Path) -> Published:
    """The feed after a night that scored all its texts."""
    return first_night.copy_to(tmp_path)


def test_a_second_night_over_the_same_texts_scores_none(spark: SparkSession, published: Published, day: Window) -> None:
    feed, first = published
    labels, daily = rows(feed, LABELS), rows(feed, DAILY)
    assert texts_of(first) == (3, 0)

    second = run_night(spark, night(feed), day)
    assert texts_of(second) == (0, 3)
    assert (rows(feed, LABELS), rows(feed, DAILY)) == (labels, daily)
    assert (first.engines, second.engines) == (["torch fp32 on cpu"], [])
    assert len(rows(feed, TEXT_SCORES)) == 3
    folders = {folder.name for folder in (feed / "out" / TEXT_SCORES / "data").iterdir()}
    assert folders == {first.run_id}, "no file that no table lists stays behind"


def test_a_later_night_scores_what_is_new_to_it(spark: SparkSession, published: Published) -> None:
    feed, _ = published
    later = NOON + timedelta(days=1)
    new = [message("e", "i love you", created_at=later), message("f", "i am furious", created_at=later)]
    write_messages(feed / "in/2.parquet", new)
    second = run_night(spark, night(feed), Window(DAY + timedelta(days=1), DAY + timedelta(days=1)))

    assert texts_of(second) == (1, 1)
    labels = {row["feedback_id"]: row for row in rows(feed, LABELS)}
    assert {name: row["emotion"] for name, row in labels.items()} == {
        "a": "joy", "b": "joy", "c": "anger", "d": "fear", "e": "love", "f": "anger",
    }  # fmt: skip
    assert [labels["c"][emotion] for emotion in EMOTIONS] == [labels["f"][emotion] for emotion in EMOTIONS]


@pytest.mark.slow
def test_a_night_looks_no_further_back_than_it_is_asked_to(spark: SparkSession, published: Published) -> None:
    feed, _ = published
    days = [DAY + timedelta(days=number) for number in (1, 2)]
    settings = night(feed).model_copy(update={"scores": ScoreSettings(history_days=1)})
    write_messages(feed / "in/2.parquet", [message("e", "i am furious", created_at=NOON + timedelta(days=1))])
    write_messages(feed / "in/3.parquet", [message("f", "i am scared", created_at=NOON + timedelta(days=2))])
    assert texts_of(run_night(spark, settings, Window(days[0], days[0]))) == (0, 1), "scored the day before"
    assert texts_of(run_night(spark, settings, Window(days[1], days[1]))) == (1, 0), "scored two days before"


@pytest.mark.slow
@pytest.mark.parametrize(("reuse", "scored"), [("off", 4), ("night", 3)])
def test_without_the_history_every_run_scores_anew(
    spark: SparkSession, published: Published, day: Window, reuse: Reuse, scored: int
) -> None:
    feed, _ = published
    with_history = rows(feed, LABELS)
    for _ in range(2):
        assert texts_of(run_night(spark, night(feed, reuse), day)) == (scored, 0)
    found = rows(feed, LABELS)
    assert [row["emotion"] for row in found] == [row["emotion"] for row in with_history]
    assert len(rows(feed, TEXT_SCORES)) == 3, "and adds nothing to it"


def test_another_model_takes_no_scores_of_this_one(
    spark: SparkSession, published: Published, day: Window, tmp_path: Path
) -> None:
    import json
    import shutil

    from emotion_udf.classifier.artifact import BUNDLED_FOLDER

    feed, _ = published
    shutil.copytree(BUNDLED_FOLDER, tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    (tmp_path / "model/config.json").write_text(json.dumps(config | {"note": "another fingerprint"}))
    other = run_night(spark, night(feed, model=str(tmp_path / "model")), day)
    assert texts_of(other) == (3, 0)
    assert len({row["model_fingerprint"] for row in rows(feed, TEXT_SCORES)}) == 2


@pytest.mark.slow
def test_a_history_that_cannot_be_read_costs_time_and_not_the_night(
    spark: SparkSession, published: Published, day: Window, caplog: pytest.LogCaptureFixture
) -> None:
    feed, _ = published
    labels = rows(feed, LABELS)
    for file in (feed / "out" / TEXT_SCORES).rglob("*.parquet"):
        file.write_bytes(b"not Parquet")
    second = run_night(spark, night(feed), day)
    assert texts_of(second) == (3, 0)
    assert rows(feed, LABELS) == labels
    assert "text_scores cannot be read" in caplog.text


def test_a_night_that_fails_after_scoring_has_not_paid_in_vain(spark: SparkSession, feed: Path, day: Window) -> None:
    write_messages(feed / "in/2.parquet", [message("blank", " ")])
    strict = night(feed).model_copy(update={"gate": GateSettings(max_quarantined_share=0.0)})
    with pytest.raises(GateError):
        run_night(spark, strict, day)

    assert texts_of(run_night(spark, night(feed), day)) == (0, 3)
    assert len(rows(feed, LABELS)) == 4


def test_runs_tell_what_was_reused_and_what_scored(spark: SparkSession, published: Published, day: Window) -> None:
    feed, _ = published
    run_night(spark, night(feed), day)
    found = sorted((row["reused_texts"], row["distinct_texts"], row["engines"]) for row in rows(feed, RUNS))
    assert found == [(0, 3, ["torch fp32 on cpu"]), (3, 3, [])]


@pytest.mark.slow
def test_scores_of_a_precision_that_fell_back_are_found_again(
    spark: SparkSession, feed: Path, day: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose bf16 fails parity says so in `engine`; the night asked for bf16 all the same."""
    fallen_back = "torch fp32 on cpu, because bf16 changes labels"

    def scoring_in_fp32(
        spark: SparkSession, artifact: Artifact, settings: ClassifierSettings
    ) -> Callable[[DataFrame], DataFrame]:
        in_fp32 = scorer_of(spark, artifact, settings.model_copy(update={"precision": "fp32"}))
        return lambda texts: in_fp32(texts).withColumn("engine", F.lit(fallen_back))

    monkeypatch.setattr("emotion_udf.nightly.pipeline.scorer_of", scoring_in_fp32)
    first = run_night(spark, night(feed, precision="bf16"), day)
    second = run_night(spark, night(feed, precision="bf16"), day)

    assert (texts_of(first), texts_of(second)) == ((3, 0), (0, 3))
    assert first.engines == [fallen_back]
    assert {row["precision"] for row in rows(feed, TEXT_SCORES)} == {"bf16"}
