"""Copies of releases: what is in PostgreSQL afterwards is what the release has, and nothing else changes."""

from datetime import date
from pathlib import Path

import psycopg
import pytest

from emotion_udf.errors import InputError, UsageError
from emotion_udf.gates import GateResult
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecorder
from emotion_udf.postgres import copy
from emotion_udf.postgres.copy import Copied, copy_release
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.readers import open_for_readers
from emotion_udf.tables.rollback import plan_rollback, roll_back
from emotion_udf.window import Window
from tests.helpers.copies import (
    ask,
    daily_there,
    record_run,
    release_in,
    released_daily,
    require_same,
    run_night,
    runs_there,
    settings_of_nights,
)
from tests.helpers.made_up import Feedback, write_release

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))


def test_a_first_copy_has_what_the_release_has(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5, D6])
    copied = copy_release(root, database)
    assert copied == Copied(release=1, there=0, days=2, rows=24, runs=1)
    assert str(copied) == "Release 1 is in PostgreSQL: 2 dates replaced (24 rows), 1 run added"
    require_same(root, database)


def test_a_release_that_is_there_changes_nothing(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5, D6])
    copy_release(root, database)
    stored = [f"SELECT xmin::text, ctid::text FROM {table}" for table in (DAILY, "runs", "releases")]  # noqa: S608
    before = [ask(database, query) for query in stored]
    copied = copy_release(root, database)
    assert copied == Copied(release=1, there=1)
    assert str(copied) == "Release 1 is in PostgreSQL already: nothing is changed"
    assert [ask(database, query) for query in stored] == before


def test_a_night_replaces_its_dates_and_no_others(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5, D6])
    copy_release(root, database)
    others = ask(database, "SELECT xmin::text FROM emotion_daily WHERE event_date = '2026-10-05'")
    run_night(warehouse, "r2", [D6, D7], messages=5)
    assert copy_release(root, database) == Copied(release=2, there=1, days=2, rows=24, runs=1)
    require_same(root, database)
    assert ask(database, "SELECT xmin::text FROM emotion_daily WHERE event_date = '2026-10-05'") == others


def test_a_date_that_became_empty_goes(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    run_night(warehouse, "r1", [D5, D6])
    copy_release(root, database)
    run_night(warehouse, "r2", [D5], empty=[D6])
    assert copy_release(root, database).days == 2
    assert {row["event_date"] for row in daily_there(database)} == {D5}
    require_same(root, database)


def test_releases_between_may_be_left_out(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    for number, day in ((2, D5), (3, D6), (4, D6)):
        run_night(warehouse, f"r{number}", [day], messages=number)
    assert copy_release(root, database).days == 2
    require_same(root, database)


def test_a_rollback_is_followed(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    run_night(warehouse, "r1", [D5, D6])
    copy_release(root, database)
    first = daily_there(database)
    run_night(warehouse, "r2", [D6], messages=7)
    copy_release(root, database)
    assert daily_there(database) != first
    tables = [LABELS, DAILY, QUARANTINE]
    roll_back(warehouse, tables, plan_rollback(warehouse, tables, 1), "back")

    assert copy_release(root, database) == Copied(release=3, there=2, days=1, rows=12)
    assert daily_there(database) == first
    require_same(root, database)


def test_an_older_release_never_replaces_a_newer_one(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_night(warehouse, "r1", [D5])
    old = open_for_readers(warehouse.root)  # what a slow publisher has opened
    run_night(warehouse, "r2", [D5, D6])
    copy_release(root, database)
    monkeypatch.setattr(copy, "open_for_readers", lambda _: old)
    copied = copy_release(root, database)
    assert copied == Copied(release=1, there=2)
    assert str(copied) == "Release 2 is in PostgreSQL, newer than 1: nothing is changed"
    require_same(root, database)


def test_a_run_without_a_release_is_added(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    record_run(warehouse, "r2", [D6], error=InputError("expected a folder, found none"))
    copied = copy_release(root, database)
    assert str(copied) == "Release 1 is in PostgreSQL already: 1 run added"
    assert runs_there(database)[1]["outcome"] == "bad_input"
    require_same(root, database)


def test_dimensions_come_and_go(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    run_night(warehouse, "r1", [D5], dimensions=["product"])
    copy_release(root, database)
    run_night(warehouse, "r2", [D6], dimensions=["product", "order", "user"], order="b; DROP TABLE runs", user='x"y')
    copy_release(root, database)
    require_same(root, database)
    assert {row["order"] for row in daily_there(database)} == {
        None,
        "b; DROP TABLE runs",
    }
    run_night(warehouse, "r3", [D7], dimensions=["order"], order="c")
    copy_release(root, database)
    require_same(root, database)


def test_any_text_can_be_a_dimension(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    odd = ["\\.", "\\N", "", " ", "a\tb\nc\rd", "\n\\.\n", "😀" * 1_000, "zwölf", "x\0y"]
    for number, source in enumerate(odd, start=1):
        run_night(warehouse, f"r{number}", [date(2026, 9, number)], source=source)
    copy_release(root, database)
    there = daily_there(database)
    assert {row["source"] for row in there} == {*odd[:-1], "x\ufffdy"}
    assert len(there) == len(released_daily(root))
    assert copy_release(root, database).days is None


def test_rows_of_earlier_versions_have_nulls(root: str, database: PostgresSettings) -> None:
    write_release(Path(root), Feedback(dimensions={"product": ["a", None]}, days=6, unknown_until=3, terms=None))
    copied = copy_release(root, database)
    assert (copied.days, copied.rows, copied.runs) == (6, 72, 2)
    require_same(root, database)


def test_numbers_that_json_cannot_write_are_texts(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5])
    recorder = RunRecorder(RunContext(settings_of_nights(), Window(D5, D5), run_id="r2"))
    recorder.note(gates=[GateResult("label_drift", False, float("nan"), 0.15, "look\0here")])
    warehouse.append_run(recorder.record.row())
    copy_release(root, database)
    found = ask(
        database, "SELECT (gate->>'value')::float8::text, gate->>'limit' FROM runs, jsonb_array_elements(gates) gate"
    )
    assert found == [("NaN", "0.15")]


def test_a_copy_of_another_warehouse_is_refused(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings, tmp_path: Path
) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    other = DeltaWarehouse(open_folder(str(tmp_path / "other")))
    run_night(other, "s1", [D6])
    with pytest.raises(UsageError, match=r"expected the copies of this warehouse in .*, found those of another one"):
        copy_release(str(tmp_path / "other"), database)
    require_same(root, database)
    ask(database, "DELETE FROM releases")
    copy_release(str(tmp_path / "other"), database)
    assert {row["event_date"] for row in daily_there(database)} == {D6}


def test_the_tables_of_a_newer_version_are_refused(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    ask(database, "UPDATE releases SET schema_version = 2")
    run_night(warehouse, "r2", [D6])
    with pytest.raises(UsageError, match=r"schema version 1 or older in .*, found 2, .* update this one"):
        copy_release(root, database)
    assert release_in(database) == 1


def test_files_that_are_gone_are_told_before_anything_is_changed(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    run_night(warehouse, "r2", [D6])
    for file in warehouse.data_folder(DAILY, "r2").children():
        warehouse.root.system.delete_dir(file.path)
    with pytest.raises(InputError, match="expected all files of emotion_daily in release 2"):
        copy_release(root, database)
    assert release_in(database) == 1


def test_without_a_release_nothing_is_done(root: str, database: PostgresSettings) -> None:
    with pytest.raises(UsageError, match="expected the tables of the nightly job below"):
        copy_release(root, database)


def test_readers_of_a_snapshot_see_the_release_before_to_their_end(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    query = b"SELECT release, (SELECT sum(feedback_count) FROM emotion_daily) FROM releases"
    with psycopg.connect(database.connection, options=f"-c search_path={database.schema_name}") as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        before = reader.execute(query).fetchall()
        run_night(warehouse, "r2", [D5, D6], messages=6)
        copy_release(root, database)
        copy_release(root, database, anew=True)
        assert reader.execute(query).fetchall() == before
        reader.commit()
        assert reader.execute(query).fetchall() == [(2, 24)]
