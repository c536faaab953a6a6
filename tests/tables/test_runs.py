from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.errors import InputError
from emotion_udf.gates import GateResult
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecord, RunRecorder
from emotion_udf.nightly.work import work_columns
from emotion_udf.schemas import runs_schema
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.runs import append_run
from emotion_udf.window import Window
from tests.helpers.messages import DAY, NOON
from tests.helpers.told import CANARY, TASKS


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def table(warehouse: DeltaWarehouse) -> DeltaTable:
    return DeltaTable(warehouse.folder("runs").delta_uri)


def published(night: NightSettings, day: Window, run_id: str) -> RunRecord:
    run = RunRecorder(RunContext(night, day, started_at=NOON, run_id=run_id))
    run.note(seconds={"read": 0.5, "score": 2.0}, input_files=["file:///lake/a.parquet"])
    run.note(gates=[GateResult("unaccounted_rows", True, 0, 0, "look here")], canary_tasks=CANARY, tasks=TASKS)
    return run.mark_published()


def rows(warehouse: DeltaWarehouse) -> dict[str, dict[str, Any]]:
    found = table(warehouse).to_pyarrow_table().to_pylist(maps_as_pydicts="strict")
    return {row["run_id"]: row for row in found}


def test_the_first_run_makes_the_table(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    run = published(night, day, "r1")
    append_run(warehouse, run.row())
    assert rows(warehouse) == {"r1": run.row()}


def test_the_table_has_the_columns_of_its_schema(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    append_run(warehouse, RunRecord(RunContext(night, day)).row())
    assert [field.name for field in table(warehouse).schema().fields] == runs_schema().fieldNames()
    assert table(warehouse).metadata().partition_columns == [], "or upkeep could not join its files"
    assert table(warehouse).metadata().name == "runs"


def test_a_later_run_is_added(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    failed = RunRecorder(RunContext(night, day, run_id="r1")).mark_failed(InputError("expected input, found nothing"))
    for run in (failed, published(night, day, "r2")):
        append_run(warehouse, run.row())
    found = rows(warehouse)
    assert {run_id: row["outcome"] for run_id, row in found.items()} == {"r1": "bad_input", "r2": "published"}
    assert (found["r1"]["error"], found["r2"]["error"]) == ("expected input, found nothing", None)
    assert {row["event_date"] for row in found.values()} == {DAY}


def test_a_table_of_an_earlier_version_is_widened(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    row = RunRecord(RunContext(night, day, run_id="r1")).row()
    now = pa.Table.from_pylist([row], to_arrow_schema(runs_schema(), timezone="UTC"))
    work = list(work_columns([], []))
    write_deltalake(
        warehouse.address("runs"), now.drop_columns(["model_card", "versions", *work]), partition_by=["event_date"]
    )
    append_run(warehouse, published(night, day, "r2").row())
    found = rows(warehouse)
    assert [found["r1"][name] for name in ("versions", *work)] == [None] * (1 + len(work))
    assert [found["r2"][name] for name in ("tokens", "model_loads")] == [18_000, 2]
    assert [host["host"] for host in found["r2"]["hosts"]] == ["node-1", "node-2"]
    assert "emotion-udf" in found["r2"]["versions"]


def test_a_table_whose_gates_were_sentences_takes_numbers(
    warehouse: DeltaWarehouse, night: NightSettings, day: Window
) -> None:
    row = RunRecord(RunContext(night, day, run_id="r1")).row()
    now = pa.Table.from_pylist([row], to_arrow_schema(runs_schema(), timezone="UTC"))
    sentence = pa.struct([("name", pa.string()), ("passed", pa.bool_()), ("detail", pa.string())])
    gates = pa.array([[{"name": "nothing_lost", "passed": True, "detail": "read 0"}]], pa.list_(sentence))
    earlier = now.set_column(now.schema.get_field_index("gates"), "gates", gates)
    write_deltalake(warehouse.address("runs"), earlier, partition_by=["event_date"])
    append_run(warehouse, published(night, day, "r2").row())
    found = rows(warehouse)
    assert found["r1"]["gates"][0]["name"] == "nothing_lost"
    assert (found["r2"]["gates"][0]["name"], found["r2"]["gates"][0]["limit"]) == ("unaccounted_rows", 0)
