"""The measurement of nights: their input, what is read of their tables, and the figures. Nothing here starts Spark."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from benchmarks import nights
from benchmarks.inputs import BenchmarkError
from benchmarks.nights import (
    DAY,
    Asked,
    Night,
    daily_rows,
    difference,
    distinct_texts,
    in_turns,
    last_night,
    measure_again,
    measure_new,
    measure_prepared,
    measure_repeated,
    median_steps,
    messages,
    repeated_texts,
    run_night,
    table_of,
    words_of,
    write_messages,
)
from emotion_udf.nightly.run import Run
from emotion_udf.settings.nightly import InputSettings, NightSettings, WarehouseSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta import DeltaWarehouse
from emotion_udf.tables.runs import append_run
from emotion_udf.window import Window

OWN = ["good", "bad", "good", "so so"]


def night(run_s: float, score: float = 1.0, reused: int = 0) -> Night:
    steps = {"read": run_s - score, "score": score}
    return Night("history", run_s + 5, run_s, steps, 10, 10, reused, ["torch fp32 on cpu"])


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked("bundled", 2, "1g", 8, 4, 0.5, 2, 60, tmp_path)


def test_texts_are_distinct_and_begin_as_they_are() -> None:
    texts = distinct_texts(OWN, 0, 10)
    assert texts[:4] == ["good", "bad", "so so", "good 3"]
    assert len(set(texts)) == 10


def test_later_texts_are_other_texts() -> None:
    assert distinct_texts(OWN, 4, 6) == distinct_texts(OWN, 0, 10)[4:]
    assert not set(distinct_texts(OWN, 0, 5)) & set(distinct_texts(OWN, 5, 5))


def test_texts_that_a_number_makes_equal_are_told() -> None:
    with pytest.raises(BenchmarkError, match="distinct"):
        distinct_texts(["a", "a 2"], 0, 4)


def test_repeats_are_shared_equally_and_always_in_the_same_order() -> None:
    texts = repeated_texts(["a", "b", "c"], 60)
    assert {text: texts.count(text) for text in "abc"} == {"a": 20, "b": 20, "c": 20}
    assert texts == repeated_texts(["a", "b", "c"], 60)
    assert texts != ["a", "b", "c"] * 20


def test_messages_have_ids_of_their_own_and_one_day(tmp_path: Path) -> None:
    table = messages(["x"] * 25, DAY, first=100)
    assert table["id"].to_pylist() == [str(number) for number in range(100, 125)]
    assert {time.date() for time in table["created_at"].to_pylist()} == {DAY}
    assert len(set(table["source"].to_pylist())) == 10
    folder = write_messages(table, 2, tmp_path / "rows")
    assert len(list(folder.iterdir())) == 2
    assert pq.read_table(folder).sort_by("created_at") == table


def append(warehouse: Path, seconds: float, reused: int, started_at: datetime) -> None:
    """Record a run as the job does."""
    settings = NightSettings(input=InputSettings(path="/in"), warehouse=WarehouseSettings(root=str(warehouse)))
    run = Run(settings, Window(DAY, DAY), started_at=started_at)
    run.publish()
    row = run.row() | {"finished_at": started_at + timedelta(seconds=seconds), "seconds": {"read": 0.5, "score": 2.0}}
    append_run(DeltaWarehouse(open_folder(str(warehouse))), row | {"distinct_texts": 9, "reused_texts": reused})


def test_the_last_night_is_the_newest_run(tmp_path: Path) -> None:
    noon = datetime(2026, 10, 5, 12, tzinfo=UTC)
    append(tmp_path, 30, 0, noon)
    append(tmp_path, 3.25, 9, noon + timedelta(hours=1))
    append(tmp_path, 60, 0, noon - timedelta(hours=1))
    found = last_night(tmp_path, "history", 12.5)
    assert (found.run_s, found.wall_s, found.reused_texts) == (3.25, 12.5, 9)
    assert found.steps == {"read": 0.5, "score": 2.0}


def write_daily(warehouse: Path, run_id: str, share: float) -> Path:
    rows = pa.table({"emotion": ["joy", "fear"], "share": [share, 1 - share], "run_id": [run_id] * 2})
    write_deltalake(warehouse / "emotion_daily", rows, mode="overwrite")
    return warehouse


def test_daily_rows_differ_by_their_values_and_not_by_their_run(tmp_path: Path) -> None:
    shares = {"one": 0.25, "same": 0.25, "other": 0.26}
    one, same, other = (daily_rows(write_daily(tmp_path / run, run, share)) for run, share in shares.items())
    assert one == same == [("fear", 0.75), ("joy", 0.25)]
    assert one != other


def test_who_goes_first_changes() -> None:
    went: list[str] = []

    def run(name: str) -> Night:
        went.append(name)
        return night(len(went))

    ones, others = in_turns(lambda: run("one"), lambda: run("other"), 3)
    assert went == ["one", "other", "other", "one", "one", "other"]
    assert [n.run_s for n in ones] == [1, 4, 5]
    assert [n.run_s for n in others] == [2, 3, 6]


def test_steps_are_compared_by_their_medians() -> None:
    slow, fast = [night(10, 8), night(11, 9), night(50, 10)], [night(5, 4)]
    assert median_steps(slow) == {"read": 2.0, "score": 9.0}
    assert difference(median_steps(slow), median_steps(fast)) == {"read": 1.0, "score": 5.0}


def play(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> list[tuple[str, str, date]]:
    """Let nights take these seconds by their reuse, and return those that were run."""
    ran: list[tuple[str, str, date]] = []

    def played(asked: Asked, feedback: Path, warehouse: Path, reuse: Any, day: date = DAY) -> Night:
        assert pq.read_table(feedback).num_rows in (asked.rows, asked.history)
        known = (warehouse / "emotion_daily").exists()
        write_daily(warehouse, f"run-{len(ran)}", 0.25)
        ran.append((feedback.name, reuse, day))
        return night(seconds["again"] if known and "again" in seconds else seconds[reuse])

    monkeypatch.setattr(nights, "run_night", played)
    return ran


def texts(rows: int, first: int = 0) -> Sequence[str]:
    return distinct_texts(OWN, first, rows)


def test_again_is_the_first_night_over_the_second(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = play(monkeypatch, {"history": 30.0, "again": 2.0})
    found = measure_again(asked, texts(8))
    assert ran == [("again", "history", DAY)] * 4
    assert found["times_faster"] == 15
    assert found["daily_rows_identical"] is True
    assert "15.0 times faster (goal: 10 times, met); emotion_daily has the same rows" in words_of("again", found)


def test_new_texts_meet_a_copy_of_the_same_history(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = play(monkeypatch, {"history": 21.0, "night": 20.0})
    found = measure_new(asked, texts(8), texts(4, 8))
    assert ran[0] == ("earlier", "history", nights.EARLIER_DAY)
    assert [reuse for _, reuse, _ in ran[1:]] == ["night", "history", "history", "night"]
    assert (found["extra_s"], found["extra_share"]) == (1.0, pytest.approx(0.05))
    assert not (asked.folder / "now").exists()
    assert (asked.folder / "before" / "emotion_daily").is_dir()


def test_repeated_texts_are_measured_without_and_with_reuse(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, {"off": 30.0, "night": 20.0})
    found = measure_repeated(asked, texts(8))
    assert found["times_faster"] == 1.5
    written = pq.read_table(asked.folder / "repeated")["text"].to_pylist()
    assert sorted(written) == sorted(list(texts(4)) * 2)


def test_plain_and_prepared_nights_take_turns(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[bool] = []

    def played(_: Asked, __: Path, warehouse: Path, ___: str, prepared: bool) -> Night:
        warehouse.mkdir()  # it must be a new one
        started.append(prepared)
        return night(20.0 if prepared else 30.0)

    monkeypatch.setattr(nights, "run_night", played)
    monkeypatch.setattr(nights, "prepare", lambda _: None)
    found = measure_prepared(asked, texts(8))
    assert started == [False, True, True, False]
    assert [listed["run_s"] for listed in found["nights"]["submit.sh"]] == [20.0, 20.0]
    assert "saves 10.0 s of a night" in words_of("prepared", found)


def test_the_table_has_a_column_for_each_kind_of_night(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, {"history": 30.0, "off": 40.0, "night": 20.0})
    table = table_of({"again": measure_again(asked, texts(8)), "repeated": measure_repeated(asked, texts(8))}, "Nights")
    headings = [column.header for column in table.columns]
    assert headings == ["", "again\nfirst", "again\nsecond", "repeated\noff", "repeated\nnight"]
    assert list(table.columns[0].cells) == ["texts scored", "wall s", "run s", "  read", "  score"]
    assert list(table.columns[3].cells) == ["10", "45.0", "40.0", "39.0", "1.0"]


@pytest.mark.parametrize(("script", "told"), [("exit 3", "exit code 3"), ("sleep 60", "did not end within 1 s")])
def test_a_night_that_fails_is_told_with_its_last_words(
    script: str, told: str, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = tmp_path / "spark-submit"
    submit.write_text(f"#!/bin/sh\necho why\n{script}\n", encoding="utf-8")
    submit.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    impatient = Asked(**(vars(asked) | {"timeout_s": 1.0}))
    with pytest.raises(BenchmarkError, match=rf"{told}.*\nwhy"):
        run_night(impatient, tmp_path, tmp_path / "warehouse", "night")
