import errno
import json
import os
import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emotion_udf.errors import GateError, InputError, StorageError, UsageError, WindowHeldError
from emotion_udf.gates import GateResult, check_gates
from emotion_udf.nightly import pipeline
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RUNS, TERMS, TEXT_SCORES
from emotion_udf.settings.nightly import GateSettings, NightSettings, StagingSettings, TermSettings, WarehouseSettings
from emotion_udf.steps.label import label
from emotion_udf.storage import list_parquet, open_folder
from emotion_udf.tables import claims, publish
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.window import Window
from tests.helpers.memory_warehouse import MemoryWarehouse
from tests.helpers.messages import DAY, NOON, input_settings, message, write_messages
from tests.helpers.published import Published

NEXT = DAY + timedelta(days=1)
BOTH = Window(DAY, NEXT)
SECRET = "the secret words of a customer"  # noqa: S105


def night(folder: Path, **gate: Any) -> NightSettings:
    return NightSettings(
        input=input_settings(folder / "in"),
        warehouse=WarehouseSettings(root=str(folder / "out")),
        gate=GateSettings(**{"max_quarantined_share": 0.9, "max_refused_file_share": 0.9} | gate),
    )


def short_night(folder: Path, **gate: Any) -> NightSettings:
    """The same without terms, which take a third of so small a night."""
    return night(folder, **gate).model_copy(update={"terms": TermSettings(enabled=False)})


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    return list(DeltaTable(folder / "out" / table).to_pyarrow_table().to_pylist())


def contents(folder: Path) -> list[list[dict[str, Any]]]:
    """Return the rows of all tables but for the run that wrote them; files by their names, for folders are copied."""
    tables = [rows(folder, table) for table in (LABELS, DAILY, QUARANTINE, TERMS)]
    plain = [[row | ({"file": Path(row["file"]).name} if "file" in row else {}) for row in table] for table in tables]
    return [sorted(({k: v for k, v in row.items() if k != "run_id"} for row in table), key=str) for table in plain]


def released(folder: Path, table: str) -> list[dict[str, Any]]:
    """Return a table's rows as readers of the release see them."""
    warehouse = DeltaWarehouse(open_folder(str(folder / "out")))
    release = warehouse.release()
    assert release is not None
    version = release.versions[table]
    return list(DeltaTable(warehouse.address(table), version=version).to_pyarrow_table().to_pylist())


def per_date(folder: Path, table: str) -> dict[date, tuple[int, str]]:
    """Rows and the one run of each date."""
    found = rows(folder, table)
    runs = {row["event_date"]: row["run_id"] for row in found}
    assert all(runs[row["event_date"]] == row["run_id"] for row in found), "one run a date"
    return {day: (count, runs[day]) for day, count in Counter(row["event_date"] for row in found).items()}


def write_feed(folder: Path) -> Path:
    """Write two days: three good messages (two of one text) and a blank one, then one good message."""
    first = [message("a"), message("b"), message("c", "i am so angry"), message("d", " ")]
    write_messages(folder / "in/1.parquet", [*first, message("e", created_at=NOON + timedelta(days=1))])
    return folder


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return write_feed(tmp_path)


@pytest.fixture(scope="module")
def first_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = write_feed(tmp_path_factory.mktemp("first"))
    return Published(folder, run_night(spark, night(folder), BOTH))


@pytest.fixture
def published(first_night: Published, tmp_path: Path) -> Published:
    """The feed after a night over both days."""
    return first_night.copy_to(tmp_path)


def test_a_night_fills_all_tables(published: Published) -> None:
    feed, run = published

    assert {row["feedback_id"]: row["emotion"] for row in rows(feed, LABELS)}["c"] == "anger"
    assert per_date(feed, LABELS) == {DAY: (3, run.run_id), NEXT: (1, run.run_id)}
    assert sum(row["feedback_count"] for row in rows(feed, DAILY)) == 4
    assert sum(row["distinct_text_count"] for row in rows(feed, DAILY) if row["event_date"] == DAY) == 2
    assert [row["reasons"] for row in rows(feed, QUARANTINE)] == [["blank_text"]]
    (record,) = rows(feed, RUNS)
    assert (record["outcome"], record["exit_code"], record["error"]) == ("published", 0, None)
    assert (record["rows_read"], record["rows_labelled"], record["rows_quarantined"]) == (5, 4, 1)
    assert record["distinct_texts"] == 2
    assert (record["from_date"], record["to_date"], record["run_id"]) == (DAY, NEXT, run.run_id)
    gates = {gate["name"]: (gate["passed"], gate["value"], gate["limit"], gate["forced"]) for gate in record["gates"]}
    assert gates["unaccounted_rows"] == (True, 0.0, 0.0, False)
    assert gates["quarantined_row_share"] == (True, 0.2, 0.9, False)
    assert gates["empty_dates"] == (True, 0.0, 0.0, False)
    assert gates["fewest_of_weekday"] == (True, None, 0.5, False), "a first night has no history"
    assert [name for name, _ in record["seconds"]] == [
        "model", "inventory", "read", "quarantine", "canary", "score", "label", "terms", "aggregate", "gate", "publish",
    ]  # fmt: skip
    (host,) = record["hosts"]
    labels = {row["text_key"]: row["token_count"] for row in rows(feed, LABELS)}
    assert record["tokens"] == host["tokens"] == sum(labels.values()), "each text once"
    assert (host["tasks"], host["tried_again"], host["engines"]) == (1, 0, record["engines"])
    assert record["tokens_per_s"] > 0
    assert "# emotion-minilm" in record["model_card"]
    assert len(record["weights_sha256"]) == 64
    assert not list((feed / "out/_staging").iterdir()), "texts do not stay behind"


@pytest.mark.slow
def test_many_rows_give_the_tables_that_few_give(
    spark: SparkSession, published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotion_udf.ingest.inventory.FEW_ROWS", 0)
    monkeypatch.setattr("emotion_udf.nightly.scoring.FEW_ROWS", 0)
    monkeypatch.setattr("emotion_udf.nightly.scoring._LEAST_ROWS_PER_TASK", 1)
    monkeypatch.setattr("emotion_udf.nightly.pipeline._ROWS_OF_A_TERMS_FILE", 1)
    shutil.copytree(published.folder / "in", tmp_path / "many/in")
    run_night(spark, night(tmp_path / "many"), BOTH)
    assert contents(tmp_path / "many") == contents(published.folder)
    assert spark.conf.get("spark.sql.adaptive.enabled") == "true"


def test_every_table_is_one_commit_a_night(spark: SparkSession, published: Published) -> None:
    feed, _ = published
    run_night(spark, short_night(feed), BOTH)

    for table in (LABELS, DAILY, QUARANTINE, TERMS):
        assert [entry["operation"] for entry in DeltaTable(feed / "out" / table).history()] == [
            "WRITE",
            "WRITE",
            "CREATE TABLE",
        ]


def test_three_runs_leave_what_one_run_leaves(spark: SparkSession, published: Published) -> None:
    feed, _ = published

    once = contents(feed)
    for _ in range(2):
        last = run_night(spark, night(feed), BOTH)

    assert contents(feed) == once
    assert {run for _, run in per_date(feed, LABELS).values()} == {last.run_id}
    assert len(rows(feed, RUNS)) == 3


def test_a_backfill_changes_its_date_only(spark: SparkSession, published: Published) -> None:
    feed, first = published
    write_messages(feed / "in/2.parquet", [message("late")])
    second = run_night(spark, short_night(feed), Window(DAY, DAY))

    assert per_date(feed, LABELS) == {DAY: (4, second.run_id), NEXT: (1, first.run_id)}


@pytest.mark.slow
def test_a_date_whose_rows_are_gone_publishes_as_no_rows(spark: SparkSession, published: Published) -> None:
    feed, _ = published
    write_messages(feed / "in/1.parquet", [message("e", created_at=NOON + timedelta(days=1))])
    with pytest.raises(GateError, match="empty_dates: 1, at most 0"):
        run_night(spark, night(feed), Window(DAY, DAY))
    assert set(per_date(feed, LABELS)) == {DAY, NEXT}

    run = run_night(spark, night(feed, allow_empty_dates=True), Window(DAY, DAY))

    assert run.rows_read == 0
    for table in (LABELS, DAILY):
        assert set(per_date(feed, table)) == {NEXT}
    assert rows(feed, QUARANTINE) == []
    again = run_night(spark, night(feed), Window(DAY, DAY))
    assert again.outcome == "published", "a date that is published as empty may be empty again"


def test_a_damaged_input_never_replaces_a_published_date_by_far_less(spark: SparkSession, feed: Path) -> None:
    write_messages(feed / "in/2.parquet", [message(f"more {n}") for n in range(20)])
    good = run_night(spark, short_night(feed), BOTH)
    (feed / "in/2.parquet").write_bytes((feed / "in/2.parquet").read_bytes()[:-50])

    with pytest.raises(GateError, match=r"fewest_of_published: 0.130435, at least 0.8"):
        run_night(spark, short_night(feed), BOTH)
    assert per_date(feed, LABELS)[DAY] == (23, good.run_id)

    run = run_night(spark, short_night(feed), BOTH, forced=["fewest_of_published"])
    assert per_date(feed, LABELS)[DAY] == (3, run.run_id)
    forced = [gate.name for gate in run.gates if gate.forced]
    assert forced == ["fewest_of_published"]
    (record,) = (row for row in rows(feed, RUNS) if row["run_id"] == run.run_id)
    assert [gate["name"] for gate in record["gates"] if gate["forced"]] == forced


def test_a_gate_that_does_not_exist_cannot_be_forced(spark: SparkSession, feed: Path) -> None:
    with pytest.raises(UsageError, match="found everything"):
        run_night(spark, night(feed), BOTH, forced=["everything"])
    assert not (feed / "out" / LABELS).exists(), "it is known before any work"


def test_a_label_whose_probabilities_are_not_numbers_is_not_published(
    spark: SparkSession, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> DataFrame:
        return label(*args).withColumn("joy", F.lit(float("nan")).cast("float"))

    monkeypatch.setattr("emotion_udf.nightly.pipeline.label", broken)
    with pytest.raises(GateError, match="bad_probabilities: 4, at most 0"):
        run_night(spark, short_night(feed), BOTH)


def test_a_refused_night_keeps_yesterday_and_is_on_record(spark: SparkSession, published: Published) -> None:
    feed, good = published
    write_messages(feed / "in/2.parquet", [message(str(n), " ") for n in range(5)])

    with pytest.raises(GateError, match=r"quarantined_row_share: 0.6, at most 0.5; .*gate.max_quarantined_share"):
        run_night(spark, short_night(feed, max_quarantined_share=0.5), BOTH)

    assert {run for _, run in per_date(feed, LABELS).values()} == {good.run_id}
    failed = next(row for row in rows(feed, RUNS) if row["outcome"] == "refused")
    assert (failed["exit_code"], failed["rows_read"], failed["rows_quarantined"]) == (4, 10, 6)
    assert not next(gate for gate in failed["gates"] if gate["name"] == "quarantined_row_share")["passed"]


def test_a_damaged_file_is_quarantined_with_its_name(spark: SparkSession, feed: Path) -> None:
    (feed / "in/broken.parquet").write_bytes(b"PAR1 not really")
    run = run_night(spark, short_night(feed), BOTH)

    assert (run.rows_read, run.rows_quarantined, run.refused_files) == (5, 1, 1)
    (entry,) = (row for row in rows(feed, QUARANTINE) if row["raw"] is None)
    assert entry["reasons"] == ["unreadable_file"]
    assert entry["file"].endswith("/in/broken.parquet")


def test_a_file_damaged_behind_a_good_footer_is_quarantined_too(spark: SparkSession, feed: Path) -> None:
    file = write_messages(feed / "in/2 ü.parquet", [message(f"x{n}", "hello " * n) for n in range(100)])
    content = bytearray(file.read_bytes())
    content[20:800] = bytes((byte * 7 + 13) % 256 for byte in content[20:800])
    file.write_bytes(content)

    run = run_night(spark, short_night(feed), BOTH)

    assert (run.rows_read, run.rows_labelled, run.refused_files) == (5, 4, 1)
    (entry,) = (row for row in rows(feed, QUARANTINE) if row["raw"] is None)
    assert (entry["reasons"], Path(entry["file"]).name) == (["unreadable_file"], "2 ü.parquet")


def test_a_run_that_was_overtaken_publishes_nothing(
    spark: SparkSession, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_publish = DeltaWarehouse.publish
    winner = []

    def overtaken(warehouse: DeltaWarehouse, *args: Any) -> None:
        monkeypatch.setattr(DeltaWarehouse, "publish", own_publish)
        winner.append(run_night(spark, short_night(feed), Window(DAY, DAY)))
        own_publish(warehouse, *args)

    monkeypatch.setattr(DeltaWarehouse, "publish", overtaken)
    with pytest.raises(WindowHeldError, match=r"found that run .* published 2026-10-05 meanwhile"):
        run_night(spark, short_night(feed), BOTH)

    for table in (LABELS, DAILY, QUARANTINE):
        assert {(day, run) for day, (_, run) in per_date(feed, table).items()} == {(DAY, winner[0].run_id)}
    assert sorted(row["outcome"] for row in rows(feed, RUNS)) == ["published", "window_held"]


def kept(folder: Path) -> dict[str, list[str]]:
    """The tables below the warehouse that still hold data files, each with the runs whose files they are."""
    found: dict[str, set[str]] = {}
    for file in (folder / "out").glob("*/data/*/**/*.parquet"):
        table, _, run_id, *_ = file.relative_to(folder / "out").parts
        found.setdefault(table, set()).add(run_id)
    return {table: sorted(runs) for table, runs in found.items()}


@pytest.mark.parametrize("step", ["quarantine", "score_night", "label", "aggregate", "check_gates", "_publish"])
def test_a_failed_run_is_on_record_and_leaves_nothing_else(
    spark: SparkSession, feed: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(f"emotion_udf.nightly.pipeline.{step}", fail)
    with pytest.raises(RuntimeError):
        run_night(spark, short_night(feed), BOTH)

    (record,) = rows(feed, RUNS)
    assert (record["outcome"], record["exit_code"], record["error"]) == ("failed", 1, "RuntimeError")
    assert record["rows_read"] == 5, "what was known is on record"
    assert not list((feed / "out/_staging").iterdir())
    assert set(kept(feed)) <= {TEXT_SCORES}, "scores hold no text, and need not be paid again"


def test_a_refused_night_leaves_the_files_of_the_good_one_only(spark: SparkSession, published: Published) -> None:
    feed, good = published
    before = kept(feed)
    write_messages(feed / "in/2.parquet", [message(str(n), " ", author="bob") for n in range(5)])
    with pytest.raises(GateError):
        run_night(spark, night(feed, max_quarantined_share=0.5), BOTH)

    assert kept(feed) == before
    assert set(before) == {LABELS, DAILY, QUARANTINE, TEXT_SCORES}
    assert {run for runs in before.values() for run in runs} == {good.run_id}


def end_the_process_of_kept_row(feed: Path) -> str:
    """Let the process that kept a run's row, which is this one, look as if it had ended; return the run."""
    (mark,) = (feed / "out/_staging").glob("*/_driver.json")
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"process_start": "0"}))
    return mark.parent.name


def test_a_night_that_fails_between_two_commits_is_finished_by_the_next_start(
    spark: SparkSession, published: Published, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    feed, first = published
    commit = claims.commit_claim

    def full_disk(target: DeltaTable, *rest: Any) -> None:
        if target.metadata().name != LABELS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        commit(target, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(publish, "commit_claim", full_disk)
        with pytest.raises(StorageError, match="found no space left; make room"):
            run_night(spark, night(feed), BOTH)
    assert {row["run_id"] for row in released(feed, DAILY)} == {first.run_id}
    half = end_the_process_of_kept_row(feed)
    assert [row["run_id"] for row in rows(feed, RUNS)] == [first.run_id], "nobody knows yet how it ends"

    last = run_night(spark, night(feed), Window(DAY, DAY))
    for table in (LABELS, DAILY):
        assert {row["event_date"]: row["run_id"] for row in released(feed, table)} == {DAY: last.run_id, NEXT: half}
    assert f"run_id={half} it was killed while it published; release 2 finishes it" in caplog.text
    outcomes = {row["run_id"]: row["outcome"] for row in rows(feed, RUNS)}
    assert outcomes == dict.fromkeys([first.run_id, half, last.run_id], "published")


def test_a_run_that_cannot_be_recorded_is_published_all_the_same(
    spark: SparkSession, feed: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(SECRET)

    with monkeypatch.context() as patch:
        patch.setattr(DeltaWarehouse, "append_run", fail)
        run = run_night(spark, short_night(feed), BOTH)

    assert (run.outcome, run.exit_code) == ("published", 0)
    assert per_date(feed, LABELS) == {DAY: (3, run.run_id), NEXT: (1, run.run_id)}
    assert "could not be recorded in runs (OSError)" in caplog.text
    assert SECRET not in caplog.text
    assert not (feed / "out" / RUNS / "_delta_log").exists()

    assert end_the_process_of_kept_row(feed) == run.run_id
    again = run_night(spark, short_night(feed), BOTH)
    found = {row["run_id"]: row["outcome"] for row in rows(feed, RUNS)}
    assert found == {run.run_id: "published", again.run_id: "published"}
    assert not list((feed / "out/_staging").iterdir())


def test_staging_can_have_a_place_of_its_own(spark: SparkSession, feed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged: list[str] = []
    settings = short_night(feed).model_copy(update={"staging": StagingSettings(root=str(feed / "scratch"))})

    def look(*args: Any) -> list[GateResult]:
        staged.extend(path.name for path in (feed / "scratch").glob("*/*"))
        return check_gates(*args)

    monkeypatch.setattr(pipeline, "check_gates", look)
    run_night(spark, settings, BOTH)
    assert "checked" in staged
    assert not list((feed / "scratch").iterdir())
    assert not (feed / "out/_staging").exists()


@pytest.mark.slow
def test_the_night_knows_its_warehouse_by_the_protocol_only(spark: SparkSession, feed: Path) -> None:
    warehouse = MemoryWarehouse(open_folder(str(feed / "memory")))
    first = run_night(spark, night(feed), BOTH, warehouse)
    second = run_night(spark, night(feed), BOTH, warehouse)

    assert not (feed / "out" / LABELS).exists()
    assert {row["feedback_id"] for row in warehouse.tables[LABELS]} == {"a", "b", "c", "e"}
    assert {row["run_id"] for row in warehouse.tables[LABELS]} == {second.run_id}
    assert [row["run_id"] for row in warehouse.tables[RUNS]] == [first.run_id, second.run_id]
    assert (first.reused_texts, second.reused_texts) == (0, 2)


def test_bad_input_is_on_record(spark: SparkSession, feed: Path) -> None:
    settings = night(feed).model_copy(update={"input": input_settings(feed / "elsewhere")})
    with pytest.raises(InputError, match=r"found nothing; check input.path"):
        run_night(spark, settings, BOTH)

    (record,) = rows(feed, RUNS)
    assert (record["outcome"], record["exit_code"]) == ("bad_input", 3)


def test_timestamps_are_stored_in_microseconds(published: Published) -> None:
    feed, run = published
    table = DeltaTable(feed / "out" / LABELS).to_pyarrow_table()
    assert table.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert {row["created_at"] for row in table.to_pylist()} == {NOON, NOON + timedelta(days=1)}
    assert run.finished_at is not None
    assert run.finished_at > datetime(2026, 1, 1, tzinfo=UTC)


def test_a_table_lists_only_the_files_of_its_commits(published: Published) -> None:
    feed, run = published
    written = list_parquet(open_folder(str(feed / "out" / LABELS / "data" / run.run_id)))
    listed = DeltaTable(feed / "out" / LABELS).file_uris()
    assert len(listed) == len(written) == 2
