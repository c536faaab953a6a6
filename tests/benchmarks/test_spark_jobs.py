"""Input and requests of the benchmarks on Spark, and the process of each."""

from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.inputs import BUNDLED, BenchmarkError, write_parts
from benchmarks.spark_jobs import Request, cycle, in_a_process, read_options, requests_of, text_column, write_input


@pytest.fixture
def small(tmp_path: Path) -> Request:
    messages = tmp_path / "messages.parquet"
    pq.write_table(pa.table({"text": [f"i feel like number {n}" for n in range(50)]}), messages)
    return Request(str(BUNDLED), messages, rows=120, warm_up_rows=10, cores=2, repeats=2, folder=tmp_path / "work")


def test_texts_go_round_and_ids_are_unique() -> None:
    table = cycle(pa.array(["a", "b", "c"]), 7, first=2)
    assert table["text"].to_pylist() == ["c", "a", "b", "c", "a", "b", "c"]
    assert table["id"].to_pylist() == list(range(2, 9))


@pytest.mark.parametrize(("rows", "files"), [(7, 3), (2, 2), (1, 2), (0, 1)])
def test_files_hold_all_rows_in_equal_parts(rows: int, files: int, tmp_path: Path) -> None:
    folder = write_parts(cycle(pa.array(["a", "b"]), rows), files, tmp_path / "rows")
    parts = [pq.read_table(file)["id"].to_pylist() for file in sorted(folder.iterdir())]
    assert [number for part in parts for number in part] == list(range(rows))
    assert len(parts) == files
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_missing_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"tweets\.parquet, found no such file"):
        text_column(tmp_path / "tweets.parquet")


def test_input_is_one_file_a_core_and_warms_up_after_what_is_timed(small: Request) -> None:
    timed, warm_up = write_input(small)
    assert pq.read_table(timed)["id"].to_pylist() == list(range(120))
    assert pq.read_table(warm_up)["id"].to_pylist() == list(range(120, 140))
    assert [len(list(folder.iterdir())) for folder in (timed, warm_up)] == [2, 2]


def test_each_number_of_cores_and_rows_is_a_request(tmp_path: Path) -> None:
    asked = ["--cores", "1,2", "--model", "bundled", "--work", str(tmp_path), "--data", str(tmp_path / "messages")]
    requests = requests_of(read_options(asked, "scaling", "", rows=[10, 100]))
    assert [(request.cores, request.rows) for request in requests] == [(1, 10), (1, 100), (2, 10), (2, 100)]
    assert {(request.model, request.folder) for request in requests} == {(str(BUNDLED), tmp_path)}


def test_a_measurement_has_a_process_of_its_own(small: Request) -> None:
    assert in_a_process(attrgetter("rows"), small) == 120
