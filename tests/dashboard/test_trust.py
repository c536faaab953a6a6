import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from emotion_udf.audit.precision import Stratum, precision
from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.dashboard.trust import find_evaluation, precision_by_sample, read_audits, read_quarantine, read_runs
from tests.helpers.made_up import FINGERPRINT

D5, D6, D9 = (date(2026, 10, day) for day in (5, 6, 9))


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def test_quarantine_tells_messages_from_files(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [
        {"event_date": D5, "reasons": ["blank_text"]},
        {"event_date": D5, "reasons": ["missing_id", "blank_text"]},
        {"event_date": D5, "reasons": ["blank_text", "missing_id"]},
        {"event_date": D6, "reasons": ["unreadable_file"]},
        {"event_date": D9, "reasons": ["blank_text"]},
    ]
    connection.register("quarantine", pa.Table.from_pylist(rows))

    assert read_quarantine(connection, D5, D6) == [
        {"day": 0, "reasons": "blank_text", "is_file": False, "count": 1},
        {"day": 0, "reasons": "blank_text, missing_id", "is_file": False, "count": 2},
        {"day": 1, "reasons": "unreadable_file", "is_file": True, "count": 1},
    ]


def test_runs_are_those_of_the_release_and_the_newest(connection: duckdb.DuckDBPyConnection) -> None:
    gate = {"name": "label_drift", "passed": True, "value": None, "limit": 0.15, "forced": False}
    rows = [
        {"run_id": name, "from_date": D5, "to_date": D5, "started_at": day, "outcome": "published", "gates": [gate]}
        | {"model": "bundled", "model_fingerprint": None}
        for name, day in (("c", D9), ("a", D5), ("b", D6))
    ]
    connection.register("runs", pa.Table.from_pylist(rows))

    found = read_runs(connection, ["a"])

    assert [run["run_id"] for run in found] == ["a", "c"]
    assert found[0]["gates"] == [gate]
    assert json.loads(json.dumps(found))[0]["from_date"] == "2026-10-05"


def test_audits_are_counted(connection: duckdb.DuckDBPyConnection) -> None:
    row = {"sample_id": "s", "from_date": D5, "to_date": D6, "model_fingerprint": "m", "stratum": "joy"}
    rows = [
        row | {"stratum_count": 9, "emotion": "joy", "human_emotion": human} for human in ("joy", "joy", "none", None)
    ]
    connection.register("audits", pa.Table.from_pylist(rows))

    assert [(found["human_emotion"], found["count"]) for found in read_audits(connection)] == [("joy", 2), ("none", 1)]


def test_the_bundled_evaluation_is_found_by_its_fingerprint() -> None:
    found = find_evaluation(FINGERPRINT, "bundled", None)

    assert found is not None
    assert found["sets"][0]["source"] == "GoEmotions"
    assert len(found["sets"][0]["confusion"]) == 6
    assert find_evaluation("another", "bundled", None) is None
    assert find_evaluation(None, None, None) is None


def test_a_model_s_folder_may_have_its_evaluation(tmp_path: Path) -> None:
    content = json.loads((BUNDLED_FOLDER / "evaluation.json").read_text(encoding="utf-8"))
    (tmp_path / "evaluation.json").write_text(json.dumps(content | {"model_fingerprint": "own"}), encoding="utf-8")

    found = find_evaluation("own", str(tmp_path), None)

    assert found is not None
    assert found["model_fingerprint"] == "own"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"sets": [{}], "model_fingerprint": "own"}'])
def test_a_damaged_evaluation_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "evaluation.json").write_text(content, encoding="utf-8")

    assert find_evaluation("own", str(tmp_path), None) is None


def test_precision_is_that_of_the_audit_job(connection: duckdb.DuckDBPyConnection) -> None:
    def audited(stratum: str, size: int, label: str, read: int, right: int) -> list[dict[str, object]]:
        facts = {"sample_id": "s", "from_date": D5, "to_date": D6, "model_fingerprint": FINGERPRINT, "emotion": label}
        of_stratum = facts | {"stratum": stratum, "stratum_count": size}
        return [of_stratum | {"human_emotion": label if number < right else "none"} for number in range(read)]

    rows = [*audited("joy, sure", 900, "joy", 30, 27), *audited("joy, unsure", 100, "joy", 30, 15)]
    rows += audited("fear, sure", 50, "fear", 50, 50)
    connection.register("audits", pa.Table.from_pylist(rows))
    joy, fear, together = precision_by_sample(read_audits(connection))["s"]

    expected = precision([Stratum(900, 30, 27), Stratum(100, 30, 15)])
    assert joy == {"name": "joy", "share": expected.value, "low": expected.low, "high": expected.high, "audited": 60}
    assert joy["share"] == pytest.approx(0.9 * 0.9 + 0.1 * 0.5)
    assert (fear["name"], fear["share"], fear["high"], fear["audited"]) == ("fear", 1.0, pytest.approx(1), 50)
    assert (together["name"], together["audited"]) == ("all", 110)
    assert precision_by_sample([]) == {}
