"""What is kept of each text, with Parquet files written as Spark's executors would."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from emotion_udf.errors import UsageError
from emotion_udf.schemas import TEXT_SCORES
from emotion_udf.storage import open_folder
from emotion_udf.tables import upkeep
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.text_scores import append_scores, drop_scores, list_models, list_scores
from tests.helpers.nights import stage_scores

MODEL, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def remember(warehouse: DeltaWarehouse, run_id: str, model: str, *hashes: str) -> None:
    stage_scores(warehouse, run_id, hashes)
    append_scores(warehouse, run_id, model)


def hashes_in(files: list[str]) -> list[str]:
    tables = [pq.read_table(file.removeprefix("file://"), columns=["text_key"], partitioning=None) for file in files]
    return sorted(name for table in tables for name in table["text_key"].to_pylist())


def rows(warehouse: DeltaWarehouse) -> list[tuple[str, str, str]]:
    table = DeltaTable(warehouse.folder(TEXT_SCORES).delta_uri).to_pyarrow_table()
    return sorted((row["text_key"], row["model_fingerprint"], row["run_id"]) for row in table.to_pylist())


def test_before_the_first_run_there_are_no_scores(warehouse: DeltaWarehouse) -> None:
    assert list_scores(warehouse, MODEL) == []


def test_a_run_adds_to_what_there_is(warehouse: DeltaWarehouse) -> None:
    remember(warehouse, "r1", MODEL, "t1", "t2")
    remember(warehouse, "r2", MODEL, "t3")
    assert hashes_in(list_scores(warehouse, MODEL)) == ["t1", "t2", "t3"]
    assert rows(warehouse) == [("t1", MODEL, "r1"), ("t2", MODEL, "r1"), ("t3", MODEL, "r2")]


def test_each_model_has_its_own_scores(warehouse: DeltaWarehouse) -> None:
    remember(warehouse, "r1", MODEL, "t1")
    remember(warehouse, "r2", OTHER, "t1", "t2")
    assert hashes_in(list_scores(warehouse, MODEL)) == ["t1"]
    assert hashes_in(list_scores(warehouse, OTHER)) == ["t1", "t2"]
    assert list_scores(warehouse, "c" * 32) == []


def test_what_is_staged_and_not_yet_added_is_not_read(warehouse: DeltaWarehouse) -> None:
    remember(warehouse, "r1", MODEL, "t1")
    stage_scores(warehouse, "r2", ["t2"])
    assert hashes_in(list_scores(warehouse, MODEL)) == ["t1"]


def test_runs_that_add_at_once_all_do(warehouse: DeltaWarehouse) -> None:
    remember(warehouse, "r0", MODEL, "t0")
    for number in range(1, 9):
        stage_scores(warehouse, f"r{number}", [f"t{number}"])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: append_scores(warehouse, f"r{number}", MODEL), range(1, 9)))
    assert hashes_in(list_scores(warehouse, MODEL)) == [f"t{number}" for number in range(9)]


def test_many_small_files_are_joined_each_model_s_for_itself(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_MANY_FILES", 3)
    remember(warehouse, "r1", OTHER, "t1", "t2")
    remember(warehouse, "r2", MODEL, "t1", "t2", "t3", "t4")
    warehouse.upkeep()
    assert (len(list_scores(warehouse, MODEL)), len(list_scores(warehouse, OTHER))) == (1, 1)
    assert hashes_in(list_scores(warehouse, MODEL)) == ["t1", "t2", "t3", "t4"]
    assert hashes_in(list_scores(warehouse, OTHER)) == ["t1", "t2"]
    remember(warehouse, "r4", MODEL, "t5")
    warehouse.upkeep()
    assert hashes_in(list_scores(warehouse, MODEL)) == ["t1", "t2", "t3", "t4", "t5"]


def test_a_table_of_other_types_is_refused(warehouse: DeltaWarehouse) -> None:
    write_deltalake(warehouse.folder(TEXT_SCORES).delta_uri, pa.table({"text_key": [1]}))
    with pytest.raises(UsageError, match="found others for text_key"):
        remember(warehouse, "r1", MODEL, "t1")


def test_the_scores_of_a_model_can_be_dropped(warehouse: DeltaWarehouse) -> None:
    remember(warehouse, "r1", MODEL, "t1", "t2")
    remember(warehouse, "r2", OTHER, "t1")
    assert list_models(warehouse) == {MODEL: (2, 2), OTHER: (1, 1)}
    drop_scores(warehouse, MODEL)
    assert list_models(warehouse) == {OTHER: (1, 1)}
    assert list_scores(warehouse, MODEL) == []
    remember(warehouse, "r3", MODEL, "t3")
    assert hashes_in(list_scores(warehouse, MODEL)) == ["t3"]


def test_a_model_without_scores_cannot_be_dropped(warehouse: DeltaWarehouse) -> None:
    with pytest.raises(UsageError, match="none"):
        drop_scores(warehouse, MODEL)
    remember(warehouse, "r1", OTHER, "t1")
    with pytest.raises(UsageError, match=OTHER):
        drop_scores(warehouse, f"{OTHER}' OR 1=1 --")
    assert list_models(warehouse) == {OTHER: (1, 1)}
