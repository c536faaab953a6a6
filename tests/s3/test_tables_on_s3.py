"""The tables' whole protocol on a real S3 server: what is promised of a disk holds there too."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError, WindowHeldError
from emotion_udf.schemas import DAILY, LABELS, RELEASES, RUNS, TEXT_SCORES, text_scores_schema
from emotion_udf.steps.score import text_key
from emotion_udf.storage import list_parquet, open_folder
from emotion_udf.tables.compaction import compact
from emotion_udf.tables.delta_warehouse import RELEASED, UNRELEASED, DeltaWarehouse
from emotion_udf.tables.find_rows import find_messages
from emotion_udf.tables.forget import forget
from emotion_udf.tables.readers import open_for_readers
from emotion_udf.tables.release_list import describe_releases
from emotion_udf.tables.releases import list_releases, move_pointer, next_release, open_pointer
from emotion_udf.tables.rollback import plan_rollback, roll_back
from emotion_udf.tables.staging import running_runs, staging_folder
from emotion_udf.tables.text_scores import append_scores, drop_scores, list_models, list_scores
from emotion_udf.tables.upkeep import checkpoint
from emotion_udf.tables.vacuum import delete_unneeded, find_unneeded
from emotion_udf.tables.warehouse import Commit, Release
from tests.helpers.made_up import Feedback, write_release
from tests.helpers.nights import NIGHT, publish_night, row_of, same_in_all, shown_rows, stage_rows, write_file

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
MODEL = "a" * 32
RUN = "20261005T010203Z-abc123"
WRITERS = 16


def test_nights_are_released_and_replaced(warehouse: DeltaWarehouse) -> None:
    assert warehouse.release() is None
    publish_night(warehouse, "r1", [D5, D6])
    publish_night(warehouse, "r2", [D6, D7])
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r2"), (D7, "r2")])
    assert [release.run_id for release in list_releases(warehouse.open(RELEASES))] == ["r1", "r2"]
    assert warehouse.published_dates([D5, date(2026, 1, 1)]) == [D5]
    released = warehouse.released(LABELS, [D7], ["run_id"])
    assert released is not None
    assert released["run_id"].to_pylist() == ["r2"]
    warehouse.upkeep()
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r2"), (D7, "r2")])


@pytest.mark.slow
def test_of_two_runs_over_one_date_the_second_is_refused(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    since = warehouse.version(LABELS)
    publish_night(warehouse, "r2", [D5], since=since)
    with pytest.raises(WindowHeldError, match="r2"):
        publish_night(warehouse, "r3", [D5], since=since)
    warehouse.discard("r3")
    assert list_parquet(warehouse.data_folder(LABELS, "r3")) == []
    assert shown_rows(warehouse) == same_in_all([(D5, "r2")])


@pytest.mark.slow
def test_a_claim_whose_files_are_gone_is_taken_back(warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_night(warehouse, "r1", [D5])
    with monkeypatch.context() as patch:
        patch.setattr("emotion_udf.tables.publish.settle", lambda *_: None)
        with pytest.raises(WindowHeldError):
            publish_night(warehouse, "r2", [D5])
    warehouse.data_folder(DAILY, "r2").remove()
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])


@pytest.mark.slow
def test_a_rollback_a_compaction_and_a_vacuum(warehouse: DeltaWarehouse, root: str) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    publish_night(warehouse, "r2", [D6])
    roll_back(warehouse, RELEASED, plan_rollback(warehouse, RELEASED, 1), "back")
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r1")])
    stage_rows(warehouse, LABELS, "lost", {D5: [row_of(LABELS, "lost")]})
    for name in RELEASED:
        compact(warehouse, name)
        checkpoint(warehouse, name)
    warehouse.repair()

    staging = open_folder(f"{root}/staging")
    horizon = datetime.now(UTC) + timedelta(days=1)
    found = find_unneeded(warehouse, RELEASED, UNRELEASED, staging, horizon)
    for file in found:
        delete_unneeded(warehouse, file)
    assert {file.path.split("/")[1] for file in found if file.table in RELEASED} == {"r2", "lost"}
    assert list_parquet(warehouse.data_folder(LABELS, "lost")) == []
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r1")])
    listed = describe_releases(warehouse, RELEASED, 10)
    assert [release.missing_files for release in listed][-1] == 0
    open_for_readers(warehouse.root).require_files(RELEASED)


@pytest.mark.slow
def test_scores_are_kept_dropped_and_forgotten_with_their_message(warehouse: DeltaWarehouse) -> None:
    score = {"emotion": "joy", "confidence": 0.9, **dict.fromkeys(EMOTIONS, 0.1), "token_count": 3}
    score |= {"is_truncated": False, "engine": "torch", "precision": "auto", "event_date": D5, "run_id": "r1"}
    schema = to_arrow_schema(text_scores_schema(), timezone="UTC")
    schema = schema.remove(schema.get_field_index("model_fingerprint"))
    rows = [score | {"text_key": text_key(text)} for text in ("secret", "other")]
    write_file(warehouse.data_folder(TEXT_SCORES, "r1"), pa.Table.from_pylist(rows, schema))
    append_scores(warehouse, "r1", MODEL)
    messages = [row_of(LABELS, "r1", feedback_id=name, text=name) for name in ("secret", "other")]
    stage_rows(warehouse, LABELS, "r1", {D5: messages})
    warehouse.publish(NIGHT, Commit("r1", [D5]), warehouse.version(LABELS))

    assert list_models(warehouse) == {MODEL: (1, 2)}
    assert all(uri.startswith("s3a://") for uri in list_scores(warehouse, MODEL))
    gone = forget(warehouse, RELEASED, find_messages(warehouse, ["secret"], text_key, "text"), f"{RUN}-forget")
    assert gone == {LABELS: 1, TEXT_SCORES: 1}
    assert find_messages(warehouse, ["secret"], text_key, "text") == []
    assert warehouse.at(LABELS).to_pyarrow_table()["feedback_id"].to_pylist() == ["other"]
    assert list_models(warehouse) == {MODEL: (1, 1)}
    drop_scores(warehouse, MODEL)
    assert list_models(warehouse) == {}


@pytest.mark.slow
def test_runs_are_recorded_and_staging_goes(warehouse: DeltaWarehouse, root: str) -> None:
    write_release(f"{root}/w", Feedback())
    row = warehouse.at(RUNS).to_pyarrow_table().to_pylist(maps_as_pydicts="strict")[0]
    warehouse.append_run(row | {"run_id": RUN})
    assert RUN in warehouse.recorded_runs()
    staging = open_folder(f"{root}/w/_staging")
    with staging_folder(staging, RUN) as folder:
        write_file(folder / "checked", pa.table({"text": ["x"]}))
        assert running_runs(staging) == [RUN]
    assert staging.children() == []


def test_of_writers_who_race_for_one_release_one_wins(warehouse: DeltaWarehouse) -> None:
    for number in range(1, 4):
        pointers = [open_pointer(warehouse) for _ in range(WRITERS)]
        release = next_release(warehouse.release(), "r", {})

        def move(writer: int, pointer: DeltaTable, release: Release = release) -> str:
            try:
                move_pointer(pointer, replace(release, run_id=f"r{writer}"))
            except CommitFailedError:
                return "lost"
            return f"r{writer}"

        with ThreadPoolExecutor(WRITERS) as pool:
            ends = Counter(pool.map(move, range(WRITERS), pointers))
        assert ends.pop("lost") == WRITERS - 1
        shown = warehouse.release()
        assert shown is not None
        assert [shown.run_id] == list(ends)
        assert [listed.number for listed in list_releases(warehouse.open(RELEASES))] == list(range(1, number + 1))


@pytest.mark.slow
def test_runs_that_publish_other_dates_at_once_are_all_released(root: str, warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "first", [D5])
    days = [D5 + timedelta(days=number) for number in range(1, 9)]

    def publish(day: date) -> None:
        publish_night(DeltaWarehouse(open_folder(f"{root}/w")), f"r{day}", [day])

    with ThreadPoolExecutor(len(days)) as pool:
        list(pool.map(publish, days))
    assert shown_rows(warehouse) == same_in_all([(D5, "first"), *((day, f"r{day}") for day in days)])


@pytest.mark.slow
def test_of_runs_that_publish_one_date_at_once_one_is_released(root: str, warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "first", [D5])
    since = warehouse.version(LABELS)

    def publish(number: int) -> bool:
        try:
            publish_night(DeltaWarehouse(open_folder(f"{root}/w")), f"r{number}", [D5], since=since)
        except WindowHeldError:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        won = list(pool.map(publish, range(WRITERS)))
    assert sum(won) == 1
    assert shown_rows(warehouse) == same_in_all([(D5, f"r{won.index(True)}")])


@pytest.mark.parametrize("name", ["AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER"])
def test_commits_that_are_not_safe_are_refused(root: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "true")
    with pytest.raises(UsageError, match=name):
        open_folder(root)


def test_the_environment_cannot_turn_conditional_put_off(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    warehouse = DeltaWarehouse(open_folder(f"{root}/w"))
    pointers = [open_pointer(warehouse) for _ in range(2)]
    move_pointer(pointers[0], next_release(None, "r0", {}))
    with pytest.raises(CommitFailedError):
        move_pointer(pointers[1], next_release(None, "r1", {}))
