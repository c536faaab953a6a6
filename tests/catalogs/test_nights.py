"""Real nights into real catalogs."""

import os
import signal
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emotion_udf.schemas import daily_schema
from tests.catalogs.conftest import Catalog, Session, hive, iceberg
from tests.helpers.jobs import query, submit
from tests.helpers.tweets import DAYS, own_tweets, tweets_settings

pytestmark = [pytest.mark.slow, pytest.mark.catalogs, pytest.mark.spark]

FIRST, SECOND = (f"--date={day}" for day in DAYS)
TABLES = {
    "emotion_labels": "event_date, feedback_id, emotion, is_confident, token_count, text_key, model_fingerprint",
    "emotion_daily": "event_date, emotion, feedback_count, total_count, low_confidence_count, distinct_text_count",
    "emotion_terms": "event_date, emotion, term, feedback_count, distinct_text_count",
    "quarantine": "event_date, feedback_id, reasons",
}
WHOLE = """
    SELECT t.event_date, t.run_id FROM {0}.{1} t JOIN (
        SELECT day, max_by(run_id, release) AS run_id FROM {0}.releases LATERAL VIEW explode(dates) AS day GROUP BY day
    ) r ON t.event_date = r.day AND t.run_id = r.run_id
"""
"""The rows of nights that are whole, as docs/catalogs.md shows them."""


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' own tweets, with an empty one on the first day."""
    own = own_tweets()
    is_first = pc.equal(own["created_at"].cast(pa.date32()), pa.scalar(DAYS[0]))
    empty = own.filter(is_first).slice(0, 1)
    empty = empty.set_column(empty.column_names.index("text"), "text", pa.array([" "]))
    empty = empty.set_column(empty.column_names.index("id"), "id", pa.array(["blank"]))
    file = tmp_path_factory.mktemp("input") / "bad.parquet"
    pq.write_table(pa.concat_tables([own, empty]), file)
    return file


@pytest.fixture(scope="module")
def expected(bad: Path) -> dict[str, list[list[str]]]:
    """The tables of the same nights as Delta tables, with values as Spark prints them."""
    delta = bad.parent / "delta"
    ended = submit(*tweets_settings(bad, delta), "--set=terms.min_texts=2", f"--from={DAYS[0]}", f"--to={DAYS[1]}")
    assert ended.code == 0, ended.output
    found = {table: query(delta, f"SELECT {columns} FROM {table}") for table, columns in TABLES.items()}  # noqa: S608
    return {table: sorted(([_text(value) for value in row] for row in rows), key=str) for table, rows in found.items()}


def rows(session: Session, catalog: Catalog, table: str) -> list[list[str]]:
    return sorted(session.ask(f"SELECT {TABLES[table]} FROM {catalog.namespace}.{table}"), key=str)  # noqa: S608


def everything(session: Session, catalog: Catalog) -> dict[str, list[list[str]]]:
    return {table: rows(session, catalog, table) for table in TABLES}


def runs_by_date(session: Session, catalog: Catalog) -> dict[str, dict[str, set[str]]]:
    """Return the runs that each date has rows of, by table."""
    found: dict[str, dict[str, set[str]]] = {}
    for table in TABLES:
        for day, run_id in session.ask(f"SELECT DISTINCT event_date, run_id FROM {catalog.namespace}.{table}"):  # noqa: S608
            found.setdefault(table, {}).setdefault(day, set()).add(run_id)
    return found


def test_nights_are_those_of_delta_tables(catalog: Catalog, bad: Path, expected: dict[str, list[list[str]]]) -> None:
    with catalog.session(bad) as session:
        missing = session.night(FIRST)
        assert missing.code == 2, missing.output
        assert f"expected the schema {catalog.namespace} in Spark's catalog, found none" in missing.output
        session.ask(f"CREATE SCHEMA {catalog.namespace}")

        for day in (FIRST, SECOND):
            ended = session.night(day)
            assert ended.code == 0, ended.output
        first = everything(session, catalog)
        assert first == expected

        # The same again, and a night that a gate refuses.
        ended = session.night(FIRST)
        assert ended.code == 0, ended.output
        assert "reused" in ended.output
        refused = session.night(FIRST, "--set=gate.min_messages=1000000")
        assert refused.code == 4, refused.output
        assert everything(session, catalog) == first
        runs = session.ask(f"SELECT outcome, reused_texts FROM {catalog.namespace}.runs ORDER BY started_at")  # noqa: S608
        assert [outcome for outcome, _ in runs] == ["published", "published", "published", "refused"]
        assert int(runs[2][1]) == len({row[5] for row in first["emotion_labels"] if row[0] == str(DAYS[0])})
        releases = session.ask(f"SELECT release, size(dates), size(versions) FROM {catalog.namespace}.releases")  # noqa: S608
        versions = "4" if catalog.versions else "0"
        assert sorted(releases) == [["1", "1", versions], ["2", "1", versions], ["3", "1", versions]]
        assert all(len(runs) == 1 for days in runs_by_date(session, catalog).values() for runs in days.values())
        assert {place.parts[-3] for place in catalog.own.glob("*/data/*")} == {"text_scores"}, "no other files stay"


def test_dates_are_emptied_and_columns_added(catalog: Catalog, bad: Path) -> None:
    with catalog.session(bad) as session:
        session.ask(f"CREATE SCHEMA {catalog.namespace}")
        for day in (FIRST, SECOND):
            ended = session.night(day)
            assert ended.code == 0, ended.output
        before = rows(session, catalog, "emotion_labels")

        only_second = catalog.folder / "second.parquet"
        own = own_tweets()
        pq.write_table(own.filter(pc.not_equal(own["created_at"].cast(pa.date32()), pa.scalar(DAYS[0]))), only_second)
        emptied = session.night(
            FIRST,
            f"--set=input.path={only_second}",
            "--set=gate.allow_empty_dates=true",
            "--force=fewest_of_published",
        )
        assert emptied.code == 0, emptied.output
        assert {row[0] for row in rows(session, catalog, "emotion_labels")} == {str(DAYS[1])}
        assert {table: list(days) for table, days in runs_by_date(session, catalog).items()} == {
            table: [str(DAYS[1])] for table in ("emotion_labels", "emotion_daily", "emotion_terms")
        }
        filled = session.night(FIRST, "--set=input.dimensions.writer=author", "--set=warehouse.keep_text=true")
        assert filled.code == 0, filled.output
        assert rows(session, catalog, "emotion_labels") == before
        found = session.ask(
            f"SELECT event_date, count(writer), count(text) FROM {catalog.namespace}.emotion_labels "  # noqa: S608
            "GROUP BY event_date ORDER BY event_date"
        )
        assert [row[0] for row in found] == [str(day) for day in DAYS]
        assert found[0][1] == found[0][2] != "0"
        assert found[1][1] == found[1][2] == "0", "older rows have no value in them"


@pytest.mark.parametrize("change", [1, 4])
def test_a_job_that_is_killed_between_two_tables_is_finished(catalog: Catalog, bad: Path, change: int) -> None:
    with catalog.session(bad) as session:
        session.ask(f"CREATE SCHEMA {catalog.namespace}")
        ended = session.night(FIRST)
        assert ended.code == 0, ended.output
        whole = everything(session, catalog)
        first_runs = runs_by_date(session, catalog)
        session.die_before(change)
        session.start_night(FIRST)
        session.driver.process.wait(300)

    with catalog.session(bad) as session:
        between = runs_by_date(session, catalog)
        changed = [table for table in TABLES if between[table] != first_runs[table]]
        assert len(changed) == change
        for table in TABLES:
            found = {run for _, run in session.ask(WHOLE.format(catalog.namespace, table))}
            assert found <= first_runs[table][str(DAYS[0])], "readers of whole nights see no other"

        ended = session.night(SECOND)
        assert ended.code == 0, ended.output
        assert "it was killed while it published; release 2 finishes it" in ended.output
        runs = runs_by_date(session, catalog)
        assert all(len(found) == 1 for days in runs.values() for found in days.values())
        after = everything(session, catalog)
        for table, before in whole.items():
            assert [row for row in after[table] if row[0] == str(DAYS[0])] == before
        outcomes = session.ask(f"SELECT outcome FROM {catalog.namespace}.runs ORDER BY started_at")  # noqa: S608
        assert outcomes == [["published"], ["published"], ["published"]]


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_a_machine_that_fails_while_it_publishes_costs_nothing(catalog: Catalog, bad: Path, seconds: float) -> None:
    """Python, Java and workers are gone at once, in the middle of a commit or between two."""
    with catalog.session(bad) as session:
        session.ask(f"CREATE SCHEMA {catalog.namespace}")
        for day in (FIRST, SECOND):
            ended = session.night(day)
            assert ended.code == 0, ended.output
        whole = everything(session, catalog)
        session.start_night(f"--from={DAYS[0]}", f"--to={DAYS[1]}")
        session.driver.read_until("step=gate")
        time.sleep(seconds)
        os.killpg(session.driver.process.pid, signal.SIGKILL)
        session.driver.process.wait()

    with catalog.session(bad) as session:
        ended = session.night(SECOND)
        assert ended.code == 0, ended.output
        assert everything(session, catalog) == whole
        runs = runs_by_date(session, catalog)
        assert all(len(found) == 1 for days in runs.values() for found in days.values())
        assert len({frozenset(days[str(DAYS[1])]) for table, days in runs.items() if table != "quarantine"}) == 1


def test_of_two_jobs_at_once_one_publishes(tmp_path: Path, bad: Path) -> None:
    catalog = iceberg(tmp_path)  # a metastore in a file takes one process only
    with catalog.session(bad) as one, catalog.session(bad) as other:
        one.ask(f"CREATE SCHEMA {catalog.namespace}")
        one.start_night(FIRST)
        other.start_night(FIRST)
        ended = [session.driver.end() for session in (one, other)]
        assert sorted(night.code for night in ended) == [0, 5], "".join(night.output for night in ended)
        (late,) = [night.output for night in ended if night.code == 5]
        assert "meanwhile; its numbers stand" in late
        assert all(len(found) == 1 for days in runs_by_date(one, catalog).values() for found in days.values())
        assert "could not be recorded" not in late
        one.ask(f"REFRESH TABLE {catalog.namespace}.runs")  # a session keeps what it has seen of a table
        outcomes = one.ask(f"SELECT outcome FROM {catalog.namespace}.runs")  # noqa: S608
        assert sorted(outcomes) == [["published"], ["window_held"]]


def test_a_release_can_be_read_at_its_versions(tmp_path: Path, bad: Path) -> None:
    catalog = iceberg(tmp_path)
    with catalog.session(bad) as session:
        session.ask(f"CREATE SCHEMA {catalog.namespace}")
        for _ in range(2):
            ended = session.night(FIRST)
            assert ended.code == 0, ended.output
        for number, run_id, daily in session.ask(
            f"SELECT release, run_id, versions['emotion_daily'] FROM {catalog.namespace}.releases"  # noqa: S608
        ):
            table = f"{catalog.namespace}.emotion_daily VERSION AS OF {daily}"
            assert session.ask(f"SELECT DISTINCT run_id FROM {table}") == [[run_id]], number  # noqa: S608


def test_tables_that_hive_has_made_are_taken(tmp_path: Path, bad: Path) -> None:
    catalog = hive(tmp_path)
    columns = ", ".join(
        f"`{field.name}` {field.dataType.simpleString()}" for field in daily_schema([]) if field.name != "event_date"
    )
    daily = f"{catalog.namespace}.emotion_daily"
    with catalog.session(bad) as session:
        session.ask(f"CREATE SCHEMA {catalog.namespace}")
        session.ask(f"CREATE TABLE {daily} (note string, {columns}) PARTITIONED BY (event_date date) STORED AS PARQUET")
        for day in (FIRST, SECOND, FIRST):
            ended = session.night(day)
            assert ended.code == 0, ended.output
        found = session.ask(f"SELECT event_date, count(*), count(note) FROM {daily} GROUP BY event_date ORDER BY 1")  # noqa: S608
        assert found == [[str(day), "6", "0"] for day in DAYS]


def _text(value: object) -> str:
    """Return a value as Spark prints it."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
