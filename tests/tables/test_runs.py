from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.errors import InputError
from emotion_udf.gates.counts import GateResult
from emotion_udf.nightly.run import Run
from emotion_udf.schemas import runs_schema
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta import DeltaWarehouse
from emotion_udf.tables.runs import append_run
from emotion_udf.window import Window
from tests.helpers.messages import DAY, NOON


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def table(warehouse: DeltaWarehouse) -> DeltaTable:
    return DeltaTable(warehouse.folder("runs").delta_uri)


def test_the_first_run_makes_the_table(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    run = Run(night, day, started_at=NOON, run_id="r1")
    run.seconds = {"read": 0.5, "score": 2.0}
    run.gates = [GateResult("nothing_lost", True, "read 0 = labelled 0 + quarantined 0")]
    run.input_files = ["file:///lake/a.parquet"]
    run.publish()
    append_run(warehouse, run.row())
    (row,) = table(warehouse).to_pyarrow_table().to_pylist(maps_as_pydicts="strict")
    assert row == run.row()


def test_the_table_has_the_columns_of_its_schema(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    append_run(warehouse, Run(night, day).row())
    assert [field.name for field in table(warehouse).schema().fields] == runs_schema().fieldNames()
    assert table(warehouse).metadata().partition_columns == ["event_date"]
    assert table(warehouse).metadata().name == "runs"


def test_a_later_run_is_added(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    failed = Run(night, day, run_id="r1")
    failed.fail(InputError("expected input at /lake, found nothing"))
    published = Run(night, day, run_id="r2")
    published.publish()
    for run in (failed, published):
        append_run(warehouse, run.row())
    rows = {row["run_id"]: row for row in table(warehouse).to_pyarrow_table().to_pylist()}
    assert {run_id: row["outcome"] for run_id, row in rows.items()} == {"r1": "bad_input", "r2": "published"}
    assert rows["r1"]["error"] == "expected input at /lake, found nothing"
    assert rows["r2"]["error"] is None
    assert {row["event_date"] for row in rows.values()} == {DAY}


def test_a_table_of_an_earlier_version_is_widened(warehouse: DeltaWarehouse, night: NightSettings, day: Window) -> None:
    now = pa.Table.from_pylist([Run(night, day, run_id="r1").row()], to_arrow_schema(runs_schema(), timezone="UTC"))
    earlier = now.drop_columns(["model_card", "versions"])
    write_deltalake(warehouse.folder("runs").delta_uri, earlier, partition_by=["event_date"])
    append_run(warehouse, Run(night, day, run_id="r2").row())
    rows = {row["run_id"]: row for row in table(warehouse).to_pyarrow_table().to_pylist()}
    assert rows["r1"]["versions"] is None
    assert "emotion-udf" in dict(rows["r2"]["versions"])
