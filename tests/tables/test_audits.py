from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from emotion_udf.errors import UsageError
from emotion_udf.schemas import AUDIT_SAMPLES, AUDITS, audit_samples_schema, audits_schema
from emotion_udf.steps.score import text_key
from emotion_udf.storage import open_folder
from emotion_udf.tables.audits import read_sample, write_audits, write_sample
from emotion_udf.tables.delta_warehouse import RELEASED, UNRELEASED, DeltaWarehouse
from emotion_udf.tables.find_rows import find_messages
from emotion_udf.tables.forget import forget
from tests.helpers.labelled import label_of, publish_labels

D5 = date(2026, 10, 5)
NOW = datetime(2026, 10, 6, 9, tzinfo=UTC)
IDS = ["m1", "m2", "m3"]


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def drawn(sample_id: str, ids: list[str] = IDS) -> list[dict[str, Any]]:
    same = {"sample_id": sample_id, "from_date": D5, "to_date": D5, "event_date": D5, "drawn_at": NOW}
    label = {"emotion": "joy", "confidence": 0.5, "stratum": "joy/unclear", "stratum_count": 9}
    return [
        same | label | {"feedback_id": id_, "number": number, "model_fingerprint": "f"}
        for number, id_ in enumerate(ids, start=1)
    ]


def read_by_people(sample_id: str, word: str, ids: list[str] = IDS) -> list[dict[str, Any]]:
    names = audits_schema().fieldNames()
    rows = [row | {"human_emotion": word, "recorded_at": NOW} for row in drawn(sample_id, ids)]
    return [{name: row[name] for name in names} for row in rows]


def rows_of(warehouse: DeltaWarehouse, table: str) -> list[dict[str, Any]]:
    return list(DeltaTable(warehouse.address(table)).to_pyarrow_table().to_pylist())


def test_a_sample_comes_back_as_it_was_written(warehouse: DeltaWarehouse) -> None:
    write_sample(warehouse, "sample-a", drawn("sample-a"))
    write_sample(warehouse, "sample-b", drawn("sample-b", ["m9"]))
    found = sorted(read_sample(warehouse, "sample-a"), key=lambda row: row["number"])
    assert found == drawn("sample-a")
    assert set(found[0]) == set(audit_samples_schema().fieldNames())


@pytest.mark.parametrize("others", [[], ["sample-b"]])
def test_a_sample_that_is_not_there_is_told(warehouse: DeltaWarehouse, others: list[str]) -> None:
    for other in others:
        write_sample(warehouse, other, drawn(other))
    with pytest.raises(UsageError, match="found sample-a, which audit_samples does not have"):
        read_sample(warehouse, "sample-a")


def test_recording_again_replaces_a_sample_and_no_other(warehouse: DeltaWarehouse) -> None:
    write_audits(warehouse, "sample-b", read_by_people("sample-b", "love"))
    for word, ids in (("joy", IDS), ("none", IDS[:2])):
        write_audits(warehouse, "sample-a", read_by_people("sample-a", word, ids))
    found = {(row["sample_id"], row["feedback_id"]): row["human_emotion"] for row in rows_of(warehouse, AUDITS)}
    others = {("sample-b", id_): "love" for id_ in IDS}
    assert found == others | {("sample-a", "m1"): "none", ("sample-a", "m2"): "none"}


def test_the_tables_have_no_statistics_that_would_show_an_id(warehouse: DeltaWarehouse) -> None:
    write_audits(warehouse, "sample-a", read_by_people("sample-a", "joy", ["the-id-of-a-customer"]))
    logs = Path(warehouse.address(AUDITS)).glob("_delta_log/*.json")
    assert not any("the-id-of-a-customer" in log.read_text() for log in logs)


def test_forgetting_a_message_leaves_no_file_of_the_audit_that_has_it(warehouse: DeltaWarehouse) -> None:
    publish_labels(warehouse, [label_of(D5, id_, "joy", "a text") for id_ in IDS])
    write_sample(warehouse, "sample-a", drawn("sample-a"))
    for word in ("joy", "none"):  # an earlier version's file has it too
        write_audits(warehouse, "sample-a", read_by_people("sample-a", word))
    forget(warehouse, RELEASED, find_messages(warehouse, ["m2"], text_key, "text"), "forgetting")
    for table in (AUDITS, AUDIT_SAMPLES):
        assert {row["feedback_id"] for row in rows_of(warehouse, table)} == {"m1", "m3"}
    assert find_messages(warehouse, ["m2"], text_key, "text") == [], "in no file of any version"


def test_upkeep_knows_the_tables(warehouse: DeltaWarehouse) -> None:
    assert {AUDITS, AUDIT_SAMPLES} <= set(UNRELEASED)
    publish_labels(warehouse, [label_of(D5, "m1", "joy", "a text")])
    for number in range(12):
        write_audits(warehouse, f"sample-{number}", read_by_people(f"sample-{number}", "joy"))
    warehouse.upkeep()
    assert list(Path(warehouse.address(AUDITS)).glob("_delta_log/*.checkpoint.parquet"))
    assert len(rows_of(warehouse, AUDITS)) == 36
