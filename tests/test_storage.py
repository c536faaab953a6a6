import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from emotion_udf.errors import UsageError
from emotion_udf.storage import Folder, in_threads, is_inside, list_parquet, open_folder


def write_rows(file: Path, rows: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"n": pa.array(range(rows), pa.int64())}), file)


def test_an_absolute_path_has_the_same_place_in_all_three_names(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    assert folder.uri == f"file://{tmp_path}"
    assert folder.path == str(tmp_path)
    assert folder.delta_uri == str(tmp_path)


def test_a_relative_path_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_folder("a/../b/").path == str(tmp_path / "b")
    assert open_folder("b").uri == f"file://{tmp_path}/b"


def test_a_file_uri_is_a_local_path(tmp_path: Path) -> None:
    folder = open_folder(f"file://{tmp_path}/")
    assert isinstance(folder.system, pafs.LocalFileSystem)
    assert folder.path == str(tmp_path)
    assert folder.delta_uri == str(tmp_path)


@pytest.mark.parametrize("scheme", ["s3a", "s3n", "s3"])
def test_spark_and_delta_name_s3_differently(scheme: str) -> None:
    # Opening a real bucket asks the network for its region, so the folder is put together by hand.
    folder = Folder(f"{scheme}://bucket/lake", pafs.SubTreeFileSystem("/", pafs.LocalFileSystem()), "bucket/lake")
    assert folder.delta_uri == "s3://bucket/lake"
    assert (folder / "table").uri == f"{scheme}://bucket/lake/table"
    assert (folder / "table").delta_uri == "s3://bucket/lake/table"


def test_an_object_store_is_opened_without_hadoops_scheme() -> None:
    # The region stands in the URI, so nothing has to be asked.
    folder = open_folder("s3a://bucket/lake?region=eu-central-1")
    assert isinstance(folder.system, pafs.S3FileSystem)
    assert folder.path == "bucket/lake"


def test_a_folder_does_not_have_to_be_there(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path)) / "none"
    assert not folder.exists()
    assert folder.children() == []
    assert list_parquet(folder) == []
    folder.remove()
    assert not folder.exists()


def test_children_are_what_lies_directly_inside_in_order(tmp_path: Path) -> None:
    write_rows(tmp_path / "b" / "deep.parquet", 1)
    (tmp_path / "c.txt").write_text("c")
    (tmp_path / "a").mkdir()
    children = open_folder(str(tmp_path)).children()
    assert [(child.base_name, child.type) for child in children] == [
        ("a", pafs.FileType.Directory),
        ("b", pafs.FileType.Directory),
        ("c.txt", pafs.FileType.File),
    ]


def test_remove_deletes_the_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    write_rows(tmp_path / "a" / "deep" / "1.parquet", 1)
    write_rows(tmp_path / "ab" / "1.parquet", 1)
    (open_folder(str(tmp_path)) / "a").remove()
    assert [path.name for path in tmp_path.iterdir()] == ["ab"]


def test_parquet_files_are_listed_with_what_their_footers_count(tmp_path: Path) -> None:
    write_rows(tmp_path / "event_date=2026-10-06" / "part.parquet", 0)
    write_rows(tmp_path / "event_date=2026-10-05" / "part.parquet", 7)
    write_rows(tmp_path / "part.parquet", 3)
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "notes.txt").write_text("no data")
    files = list_parquet(open_folder(str(tmp_path)))
    assert [(file.path, file.rows) for file in files] == [
        ("event_date=2026-10-05/part.parquet", 7),
        ("event_date=2026-10-06/part.parquet", 0),
        ("part.parquet", 3),
    ]
    for file in files:
        stat = (tmp_path / file.path).stat()
        assert file.size == stat.st_size
        assert abs(file.modified_ms - stat.st_mtime * 1000) <= 1
        assert json.loads(file.delta_stats) == {"numRecords": file.rows}


def test_a_damaged_file_of_our_own_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_bytes(b"PAR1")
    with pytest.raises(pa.ArrowInvalid):
        list_parquet(open_folder(str(tmp_path)))


def test_threads_keep_the_order_and_hand_on_errors() -> None:
    assert in_threads(str, range(100)) == [str(i) for i in range(100)]
    assert in_threads(str, []) == []
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda n: 1 // n, [1, 0])


def test_a_file_uri_with_one_slash_is_a_local_path(tmp_path: Path) -> None:
    assert open_folder(f"file:{tmp_path}").path == str(tmp_path)


def test_a_file_uri_may_hold_a_blank(tmp_path: Path) -> None:
    assert open_folder(f"file://{tmp_path}/a b").path == f"{tmp_path}/a b"


@pytest.mark.parametrize(
    ("location", "advice"),
    [
        ("hdfs:/lake/x", "hdfs:///folder"),
        ("hdfs:lake/x", "hdfs:///folder"),
        ("s3a:/bucket/x", "slashes are missing"),
        ("s3a:bucket", "slashes are missing"),
        ("dt:2026/x", "the whole path of a local folder"),
        ("file://host/x", "file:///folder"),
        ("file:x", "file:///folder"),
        ("~/lake", "the whole path"),
        (" /lake", "a blank"),
        ("/lake\n", "a blank"),
        ("/la\0ke", "cannot be seen"),
        ("/la\u200bke", "cannot be seen"),
        ("s3a://bucket/a%20b", "%"),
        ("s3a://bucket/a#b", "#"),
        ("s3a://bucket/a/../b", "/../"),
    ],
)
def test_a_place_that_is_read_differently_is_refused(location: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_folder(location)
    assert repr(location) in str(caught.value)
    assert advice in str(caught.value)


@pytest.mark.parametrize("location", ["/a:b/c", "/a%20b", "/a#b", "./a:b"])
def test_a_local_path_may_hold_what_a_uri_may_not(location: str) -> None:
    assert open_folder(location).uri == f"file://{Path(location).resolve()}"


def test_options_of_a_uri_are_for_pyarrow_alone() -> None:
    folder = open_folder("s3a://bucket/lake?region=eu-central-1")
    assert (folder.uri, folder.delta_uri) == ("s3a://bucket/lake", "s3://bucket/lake")


@pytest.mark.parametrize(
    ("place", "folder", "inside"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("file:///a/b", "/a", True),
        ("/x/../a/b", "/a", True),
        ("s3a://bucket/a/b", "s3://bucket/a", True),
        ("s3a://bucket/ab", "s3a://bucket/a", False),
        ("/", "/", True),
        ("/a", "/", True),
    ],
)
def test_a_place_is_inside_by_its_one_spelling(place: str, folder: str, inside: bool) -> None:
    assert is_inside(place, folder) is inside


def test_a_link_leads_inside(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    assert is_inside(str(tmp_path / "link/tables"), str(tmp_path / "real"))


def test_one_error_is_enough_however_many_items_wait() -> None:
    done: list[int] = []

    def fail(n: int) -> None:
        time.sleep(0.01)
        done.append(n)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_threads(fail, range(1_000))
    assert len(done) < 500
