"""Files that Spark wrote, as the driver reads and changes them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from emotion_udf.errors import UsageError
from emotion_udf.storage import Folder, list_parquet, open_folder
from emotion_udf.tables import parquet
from emotion_udf.tables.parquet import take_out_nulls, values_of, write_rows


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    files: dict[str, list[str | None]] = {"a": ["x", "y"], "b": ["x", None, "x"], "c": [None]}
    for name, engines in files.items():
        keys = [f"{name}{n}" for n in range(len(engines))]
        pq.write_table(pa.table({"key": keys, "engine": pa.array(engines, pa.string())}), tmp_path / f"{name}.parquet")
        (tmp_path / f".{name}.parquet.crc").write_bytes(b"of the file as it was")
    return open_folder(str(tmp_path))


def test_rows_with_nulls_are_taken_out_and_all_others_stay(folder: Folder) -> None:
    assert take_out_nulls(folder, "engine", "key") == ["b1", "c0"]
    files = list_parquet(folder)
    assert [(file.path, file.rows) for file in files] == [("a.parquet", 2), ("b-rest.parquet", 2)]
    assert values_of(folder, "key") == {"a0", "a1", "b0", "b2"}
    assert values_of(folder, "engine") == {"x", "y"}


def test_where_there_are_none_nothing_changes(folder: Folder) -> None:
    take_out_nulls(folder, "engine", "key")
    before = list_parquet(folder)
    assert take_out_nulls(folder, "engine", "key") == []
    assert list_parquet(folder) == before


def test_rows_are_counted_where_they_were_written(spark: SparkSession, tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path / "rows"))
    assert write_rows(spark.range(7), folder) == 7
    assert write_rows(spark.range(3), folder, add=True) == 10
    assert write_rows(spark.range(3).where("id > 5"), open_folder(str(tmp_path / "none"))) == 0


def test_rows_on_a_disk_that_the_driver_does_not_see_are_missed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a cluster where each machine has a folder of that name; one of the two files is the driver's own."""
    monkeypatch.setattr(parquet, "list_parquet", lambda folder: list_parquet(folder)[:1])
    with pytest.raises(UsageError, match=r"expected the 8 rows that Spark has written .*, found 4 there"):
        write_rows(spark.range(8, numPartitions=2), open_folder(str(tmp_path / "rows")))
