"""The input and the jobs that read a warehouse, on a real S3 server."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from emotion_udf.errors import InputError
from emotion_udf.ingest.footers import count_window_rows
from emotion_udf.ingest.inventory import take_inventory
from emotion_udf.jobs.build_dashboard import main as build
from emotion_udf.jobs.maintain_tables import main as maintain
from emotion_udf.jobs.query_tables import main as query
from emotion_udf.schemas import Reason
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.helpers.jobs import run_main
from tests.helpers.made_up import Feedback, write_release
from tests.helpers.messages import DAY, messages
from tests.helpers.nights import write_file
from tests.helpers.s3 import KEYS

ONE_DAY = Window(DAY, DAY)


def settings(root: str, **options: Any) -> InputSettings:
    return InputSettings(path=f"{root}/input", **options)


def test_files_are_examined_and_their_rows_counted(root: str) -> None:
    folder = open_folder(f"{root}/input")
    late = pa.array([datetime(2026, 10, 5, 23, tzinfo=UTC), datetime(2026, 10, 6, 1, tzinfo=UTC)])
    write_file(folder / "dt=2026-10-05", messages(3))
    write_file(folder / "dt=2026-10-06", messages(2, created_at=late))
    write_file(folder / "dt=2026-12-01", messages(4))
    with folder.system.open_output_stream((folder / "dt=2026-10-05" / "cut.parquet").path) as stream:
        stream.write(b"PAR1 and no more")

    inventory = take_inventory(folder, settings(root, date_partition="dt"), ONE_DAY)

    assert inventory.files == [f"{root}/input/dt=2026-10-05/part.parquet", f"{root}/input/dt=2026-10-06/part.parquet"]
    assert [footer.window_rows for footer in inventory.footers] == [3, 1]
    assert inventory.expected_rows == 4
    assert [(file.uri, file.reason) for file in inventory.refused] == [
        (f"{root}/input/dt=2026-10-05/cut.parquet", Reason.UNREADABLE_FILE)
    ]
    by_times = [
        count_window_rows(folder.system, footer, "created_at", ONE_DAY, undated=False, is_true=False)
        for footer in inventory.footers
    ]
    assert by_times == [3, 1]


def test_a_delta_table_is_read_by_the_files_of_its_newest_version(root: str) -> None:
    folder = open_folder(f"{root}/input")
    for _ in range(2):
        options = dict(folder.delta_options)
        write_deltalake(folder.delta_uri, messages(2), mode="overwrite", storage_options=options)
    assert take_inventory(folder, settings(root), ONE_DAY).expected_rows == 2


def test_an_input_that_is_not_there_is_named(root: str) -> None:
    with pytest.raises(InputError, match=f"{root}/input"):
        take_inventory(open_folder(f"{root}/input"), settings(root), ONE_DAY)


def test_keys_that_the_store_does_not_take_are_no_damaged_files(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-made-up-secret")
    ended = run_main(query, ["--warehouse", f"{root}/w", "-c", "SELECT 1"])
    assert ended.code == 1
    assert "found keys that the store does not take at http://127.0.0.1:" in ended.err
    assert "AWS_SECRET_ACCESS_KEY" in ended.err


def test_a_bucket_that_is_not_there_is_named(root: str) -> None:
    ended = run_main(query, ["--warehouse", f"{root.replace('lake', 'no-lake')}/w", "-c", "SELECT 1"])
    assert ended.code == 1
    assert "found no such bucket at http://127.0.0.1:" in ended.err


@pytest.mark.slow
def test_the_page_the_prompt_and_maintenance_read_a_warehouse(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    place = f"{root.replace('s3a', 's3')}/w"
    write_release(place, Feedback(days=3, audited=4, texts=[("joy", "so happy")]))
    asked = run_main(
        query, ["--warehouse", place, "-c", "SELECT count(DISTINCT event_date) AS days FROM emotion_daily"]
    )
    assert asked.code == 0, asked.err
    assert "│    3 │" in asked.out.replace("│ 3    │", "│    3 │"), asked.out

    built = run_main(build, ["--warehouse", place, "--out", str(tmp_path / "page.html")])
    assert built.code == 0, built.err
    assert (tmp_path / "page.html").stat().st_size > 500_000

    config = tmp_path / "nightly.toml"
    config.write_text(f'[input]\npath = "{root}/input"\n[warehouse]\nroot = "{place}"\n')
    for command in (["show-releases"], ["show-runs"], ["compact"], ["vacuum", "--older-than", "1"]):
        ended = run_main(maintain, ["--config", str(config), *command])
        assert ended.code == 0, ended.err
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in ended.output
    shown = run_main(maintain, ["--config", str(config), "show-releases"])
    assert "all there" in shown.out
