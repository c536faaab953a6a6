"""Places that are no plain folder of Parquet files."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from emotion_udf.errors import InputError
from emotion_udf.ingest.listing import Listing, list_files
from emotion_udf.storage import open_folder
from tests.helpers.messages import WriteMessages, messages


def names(root: Path) -> list[str]:
    return [file.path.removeprefix(str(root)).lstrip("/") for file in list_files(open_folder(str(root))).files]


def refusal(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        list_files(open_folder(str(root)))
    return str(caught.value)


def test_files_that_spark_hides_are_not_listed(tmp_path: Path, write: WriteMessages) -> None:
    for name in ("a.parquet", "_b.parquet", ".c.parquet", "_d/a.parquet", "_d=1/a.parquet", "e.parquet._COPYING_"):
        write(name)
    assert names(tmp_path / "input") == ["_d=1/a.parquet", "a.parquet"]


def test_of_a_delta_table_only_the_live_files_are_input(tmp_path: Path) -> None:
    root = tmp_path / "table"
    for part in ("first", "second"):
        write_deltalake(root, messages(2, id=pa.array([f"{part} 1", f"{part} 2"])), mode="append")
    DeltaTable(root).delete("id = 'first 1'")
    listed = names(root)
    assert len(list(root.glob("*.parquet"))) == 3
    assert len(listed) == 2
    ids = [row for name in listed for row in pq.read_table(root / name)["id"].to_pylist()]
    assert sorted(ids) == ["first 2", "second 1", "second 2"]


@pytest.mark.parametrize("source", ["tweet", "a b", "grün/%"])
def test_a_partitioned_delta_table_is_input(tmp_path: Path, source: str) -> None:
    root = tmp_path / "table"
    write_deltalake(root, messages(2, source=pa.array([source] * 2)), partition_by=["source"])
    (file,) = list_files(open_folder(str(root))).files
    assert file.keys == {"source": source}


def test_a_delta_table_that_is_empty_has_no_files(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "table", messages(2))
    DeltaTable(tmp_path / "table").delete()
    assert names(tmp_path / "table") == []


def test_a_delta_table_of_another_protocol_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "table"
    write_deltalake(root, messages(2))
    DeltaTable.create(
        tmp_path / "vectors",
        DeltaTable(root).schema(),
        configuration={"delta.enableDeletionVectors": "true"},
        raise_if_key_not_exists=False,
    )
    assert "deletionVectors" in refusal(tmp_path / "vectors")
    assert "input.table" in refusal(tmp_path / "vectors")


def test_a_delta_table_with_a_damaged_log_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "table", messages(2))
    (tmp_path / "table/_delta_log/00000000000000000000.json").write_text("{")
    assert "input.table" in refusal(tmp_path / "table")


@pytest.mark.parametrize("place", ["table/source=a", "table/source=a/x.parquet", "above", "above/table/plain"])
def test_a_part_of_a_table_is_refused(tmp_path: Path, place: str) -> None:
    root = tmp_path / "above" / "table"
    write_deltalake(root, messages(1, source=pa.array(["a"])), partition_by=["source"])
    (tmp_path / "table").symlink_to(root)
    (root / "plain").mkdir()
    if place.endswith("x.parquet"):
        next((root / "source=a").glob("*.parquet")).rename(root / "source=a/x.parquet")
    assert "Delta table" in refusal(tmp_path / place)


@pytest.mark.parametrize(
    ("mark", "table"),
    [
        ("metadata/v1.metadata.json", "Iceberg"),
        ("metadata/00000-1.metadata.json", "Iceberg"),
        ("metadata/v1.metadata.json.gz", "Iceberg"),
        ("metadata/00000-1.gz.metadata.json", "Iceberg"),
        ("deep/metadata/v1.metadata.json", "Iceberg"),
        ("_spark_metadata/0", "Spark stream"),
        ("deep/_spark_metadata/0", "Spark stream"),
        (".hoodie/hoodie.properties", "Hudi"),
        ("deep/.hoodie/hoodie.properties", "Hudi"),
        ("deep/_delta_log/00000000000000000000.json", "Delta"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, write: WriteMessages, mark: str, table: str) -> None:
    write("data/a.parquet")
    file = tmp_path / "input" / mark
    file.parent.mkdir(parents=True)
    file.touch()
    message = refusal(tmp_path / "input")
    assert table in message
    assert "input.table" in message


@pytest.mark.parametrize("mark", ["metadata/v1.metadata.json", "_spark_metadata/0", ".hoodie/hoodie.properties"])
@pytest.mark.parametrize("place", ["data", "data/a.parquet"])
def test_a_part_of_another_table_is_refused(tmp_path: Path, write: WriteMessages, mark: str, place: str) -> None:
    write("data/a.parquet")
    file = tmp_path / "input" / mark
    file.parent.mkdir()
    file.touch()
    message = refusal(tmp_path / "input" / place)
    assert f"a part of a{'n Iceberg table' if 'json' in mark else ''}" in message.replace("the output of ", "")
    assert f"({tmp_path}/input)" in message


def test_a_pipe_is_no_file(tmp_path: Path, write: WriteMessages) -> None:
    write("a.parquet")
    os.mkfifo(tmp_path / "input/pipe.parquet")
    assert names(tmp_path / "input") == ["a.parquet"]


def test_a_folder_that_is_called_metadata_is_no_table(tmp_path: Path, write: WriteMessages) -> None:
    write("metadata/a.parquet")
    assert names(tmp_path / "input") == ["metadata/a.parquet"]


def is_september(folder: str) -> bool:
    return "dt=2026-09" in folder


def test_folders_that_are_far_are_not_looked_into(tmp_path: Path, write: WriteMessages) -> None:
    for name in ("dt=2026-10-05/a.parquet", "x=1/dt=2026-10-05/b.parquet", "x=1/dt=2026-09-01/c.parquet", "d.parquet"):
        write(name)
    (tmp_path / "input/dt=2026-09-01/_spark_metadata").mkdir(parents=True)  # whoever looks there is refused
    listing = list_files(open_folder(str(tmp_path / "input")), is_september)
    assert [file.uri.rpartition("/input/")[2] for file in listing.files] == [
        "d.parquet",
        "dt=2026-10-05/a.parquet",
        "x=1/dt=2026-10-05/b.parquet",
    ]
    assert not listing.is_whole
    assert list_files(open_folder(str(tmp_path / "input/x=1/dt=2026-10-05")), is_september).is_whole


def test_an_input_of_far_folders_alone_has_no_files(tmp_path: Path, write: WriteMessages) -> None:
    write("dt=2026-09-01/a.parquet")
    assert list_files(open_folder(str(tmp_path / "input")), is_september) == Listing([], is_whole=False)


def test_a_folder_whose_name_is_not_utf_8_makes_all_be_listed(tmp_path: Path, write: WriteMessages) -> None:
    write("dt=2026-09-01/a.parquet")
    odd = os.fsencode(tmp_path / "input") + b"/\xff"
    os.mkdir(odd)
    Path(os.fsdecode(odd), "b.parquet").touch()
    listing = list_files(open_folder(str(tmp_path / "input")), is_september)
    assert listing.is_whole
    assert [file.path.rpartition("/")[2] for file in listing.files] == ["", "a.parquet"]


@pytest.mark.parametrize("column", ["dt", "day of it"])
def test_of_a_delta_table_only_near_partitions_are_compared_with_its_log(tmp_path: Path, column: str) -> None:
    root = tmp_path / "table"
    days = pa.array(["2026-09-01", "2026-10-05"])
    write_deltalake(root, messages(2).append_column(column, days), partition_by=[column])
    (file,) = list_files(open_folder(str(root)), lambda folder: "2026-09" in folder).files
    assert file.keys == {column: "2026-10-05"}
    Path(file.path).unlink()
    with pytest.raises(InputError, match="not where"):
        list_files(open_folder(str(root)), lambda folder: "2026-09" in folder)


def test_a_checksum_beside_a_file_is_seen(tmp_path: Path, write: WriteMessages) -> None:
    for name in ("a.parquet", ".a.parquet.crc", "b.parquet"):
        write(name)
    assert [file.is_checksummed for file in list_files(open_folder(str(tmp_path / "input"))).files] == [True, False]
    (alone,) = list_files(open_folder(str(tmp_path / "input/a.parquet"))).files
    assert alone.is_checksummed
