"""The harness: rows in, a record, a table and an exit code out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import BenchmarkError, Goal, Options, Parser, Row, add_common, attempt, run, to_table, to_text


def add_options(parser: Parser) -> None:
    add_common(parser, rows=10, data=Path("folder/tweets.parquet"))


def run_rows(out: Path, *rows: Row, goals: list[Goal] | None = None, error: Exception | None = None) -> int:
    """Run a benchmark that yields these rows, then raises."""

    def measure(_: Options) -> Iterator[Row]:
        yield from rows
        if error:
            raise error

    return run("example", add_options, measure, lambda _: goals or [], ["--out", str(out), "--rows", "20"])


def read(file: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def test_a_record_says_what_was_measured_where_and_of_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "example.json"
    assert run_rows(out, {"rate": 1234.5, "seconds": [1.0, 2.0]}, goals=[Goal("rate", 1234.5, 2_000)]) == 0
    record = read(out)
    assert {"machine", "versions", "commit", "measured_at"} <= set(record)
    assert (record["benchmark"], record["options"]["rows"]) == ("example", 20)
    assert record["rows"] == [{"rate": 1234.5, "seconds": [1.0, 2.0]}]
    assert record["goals"][0]["is_met"] is False
    assert "1,234" in capsys.readouterr().out


def test_of_files_a_record_has_the_names_only(tmp_path: Path) -> None:
    run_rows(tmp_path / "example.json", {"rate": 1.0})
    assert read(tmp_path / "example.json")["options"]["data"] == "tweets.parquet"
    assert str(tmp_path) not in (tmp_path / "example.json").read_text(encoding="utf-8")


def test_rows_stay_when_a_later_one_cannot_be_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_rows(tmp_path / "one.json", {"rate": 1.0}, error=BenchmarkError("expected a model, found none")) == 2
    assert read(tmp_path / "one.json")["rows"] == [{"rate": 1.0}]
    assert "found none" in capsys.readouterr().err


def test_a_failed_row_and_a_missed_requirement_end_with_1(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert run_rows(out, {"rate": 1.0}, {"failed": "no compiler"}) == 1
    assert run_rows(out, {"failed": "no compiler"}) == 1
    assert run_rows(out, {"rate": 1.0}, goals=[Goal("rate", 1.0, 2.0, is_required=True)]) == 1
    assert run_rows(out, {"rate": 1.0}, goals=[Goal("rate", 1.0, 2.0)]) == 0


def test_what_stops_an_attempt_is_its_row() -> None:
    def fail() -> Row:
        raise RuntimeError("no compiler\nand more")

    assert attempt({"name": "a"}, fail) == {"name": "a", "failed": "RuntimeError: no compiler"}
    assert attempt({"name": "a"}, lambda: {"rate": 1.0}) == {"name": "a", "rate": 1.0}


@pytest.mark.parametrize(
    ("value", "is_least", "is_met"),
    [(1.0, True, True), (0.9, True, False), (1.0, False, True), (1.1, False, False), (float("nan"), True, False)],
)
def test_goals(value: float, is_least: bool, is_met: bool) -> None:
    goal = Goal("rate", value, 1.0, is_least)
    assert goal.is_met == is_met
    assert ("not met" in str(goal)) != is_met


def test_the_longer_side_of_a_table_goes_down() -> None:
    few: list[Row] = [{"a": 1, "b": 2.5, "seconds": [9.25], "none": None}]
    assert to_table(few).split() == ["a", "1", "b", "2.5"]
    many: list[Row] = [{"a": 1}, {"a": 2}]
    assert to_table(many).split() == ["a", "1", "2"]


def test_numbers_are_short() -> None:
    assert [to_text(value) for value in (1_234_567, 1234.56, 0.012345, True, "x")] == [
        "1,234,567",
        "1,235",
        "0.01235",
        "True",
        "x",
    ]


@pytest.mark.parametrize("rows", ["0", "-1"])
def test_no_rows_are_a_usage_error(rows: str) -> None:
    with pytest.raises(SystemExit):
        run("example", add_options, lambda _: iter([]), arguments=["--rows", rows])
