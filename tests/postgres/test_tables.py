"""The tables are made, widened and never remade; what was changed by hand is put right or refused."""

from datetime import date
from pathlib import Path

import pytest

from emotion_udf.errors import UsageError
from emotion_udf.postgres import tables
from emotion_udf.postgres.copy import copy_release
from emotion_udf.postgres.tables import wanted_columns
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.copies import ask, release_in, require_same, run_night, runs_there
from tests.helpers.made_up import Feedback, write_release
from tests.helpers.postgres import Postgres

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))


def make_user(postgres: Postgres, database: PostgresSettings, word: str) -> tuple[str, PostgresSettings]:
    """Make a user that no other test has."""
    name = f"{word}_{database.schema_name}"
    postgres.run(f"CREATE ROLE {name} LOGIN;")
    connection = f"host={postgres.folder} user={name} dbname=postgres"
    return name, database.model_copy(update={"connection": connection})


def test_what_a_dba_granted_and_built_stays(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings, postgres: Postgres
) -> None:
    name, reader = make_user(postgres, database, "reader")
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    ask(database, f"GRANT USAGE ON SCHEMA {database.schema_name} TO {name}")
    ask(database, f"GRANT SELECT ON emotion_daily, releases TO {name}")
    ask(database, "CREATE VIEW anger AS SELECT event_date, share FROM emotion_daily WHERE emotion = 'anger'")
    ask(database, "CREATE INDEX by_product ON emotion_daily (product)")
    ask(database, "DROP INDEX emotion_daily_event_date_idx")
    query = "SELECT oid, relacl::text FROM pg_class WHERE relname = 'emotion_daily' AND relnamespace = "
    query += f"'{database.schema_name}'::regnamespace"
    before = ask(database, query)
    run_night(warehouse, "r2", [D5, D6], dimensions=["product", "source", "country"], country="de")
    copy_release(root, database)
    copy_release(root, database, anew=True)

    assert ask(database, query) == before
    assert ask(reader, "SELECT count(*) FROM emotion_daily") == [(24,)]
    assert ask(database, "SELECT count(*) FROM anger") == [(4,)]
    named = ask(database, f"SELECT indexname FROM pg_indexes WHERE schemaname = '{database.schema_name}'")  # noqa: S608
    assert {index for (index,) in named if index != "x"} == {"by_product", "runs_run_id_idx", "runs_started_at_idx"}


def test_a_publisher_that_owns_nothing_needs_rights_to_write_only(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings, postgres: Postgres
) -> None:
    name, publisher = make_user(postgres, database, "publisher")
    run_night(warehouse, "r1", [D5])
    with pytest.raises(UsageError, match=r"found no right to do so \(permission denied for database postgres\)"):
        copy_release(root, publisher)
    copy_release(root, database)
    with pytest.raises(UsageError, match=r"found no right to do so \(permission denied for schema test_\w+\); let the"):
        copy_release(root, publisher)
    ask(database, f"GRANT USAGE ON SCHEMA {database.schema_name} TO {name}")
    ask(database, f"GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA {database.schema_name} TO {name}")
    run_night(warehouse, "r2", [D6])
    assert copy_release(root, publisher).days == 1
    require_same(root, database)

    run_night(warehouse, "r3", [D7], dimensions=["product", "source", "country"], country="de")
    with pytest.raises(UsageError, match=r"found no right to do so \(must be owner of table emotion_daily\)"):
        copy_release(root, publisher)
    assert release_in(database) == 2


def test_a_column_that_was_dropped_comes_back_with_the_values_of_every_date(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5])
    run_night(warehouse, "r2", [D6])
    copy_release(root, database)
    ask(database, "ALTER TABLE emotion_daily DROP COLUMN share, DROP COLUMN product")
    ask(database, "ALTER TABLE runs DROP COLUMN gates")
    copied = copy_release(root, database)  # of the release that is there
    assert (copied.days, copied.runs) == (2, 2)
    require_same(root, database)


def test_a_later_version_adds_its_columns_to_the_rows_that_are_there(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_night(warehouse, "r1", [D5])
    with monkeypatch.context() as patch:  # a version that did not know them yet
        later = {"distinct_text_count", "token_count", "seconds"}
        earlier = {
            table: {name: kind for name, kind in columns.items() if name not in later}
            for table, columns in wanted_columns(["source", "product"]).items()
        }
        patch.setattr("emotion_udf.postgres.copy.wanted_columns", lambda _: earlier)
        copy_release(root, database)
    assert "seconds" not in runs_there(database)[0]
    copy_release(root, database)
    require_same(root, database)


def test_rows_that_were_changed_by_hand_are_those_of_the_next_release(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5, D6])
    copy_release(root, database)
    ask(database, "DELETE FROM emotion_daily WHERE event_date = '2026-10-05' AND emotion = 'joy'")
    ask(database, "INSERT INTO emotion_daily (event_date, emotion, run_id) VALUES ('2020-01-01', 'joy', 'mine')")
    run_night(warehouse, "r2", [D7])
    assert copy_release(root, database).days == 3
    require_same(root, database)


def test_all_puts_right_what_no_count_shows(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    run_night(warehouse, "r1", [D5, D6])
    copy_release(root, database)
    ask(database, "UPDATE emotion_daily SET share = 0")
    ask(database, "UPDATE runs SET outcome = 'refused'")
    assert copy_release(root, database).days is None
    assert copy_release(root, database, anew=True).days == 2
    require_same(root, database)


def test_a_column_too_many_gets_nulls(warehouse: DeltaWarehouse, root: str, database: PostgresSettings) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    ask(database, "ALTER TABLE emotion_daily ADD COLUMN note text DEFAULT 'of ours'")
    run_night(warehouse, "r2", [D6])
    copy_release(root, database)
    assert ask(database, "SELECT DISTINCT note FROM emotion_daily") == [("of ours",)]


@pytest.mark.parametrize(
    ("by_hand", "told"),
    [
        (
            "ALTER TABLE emotion_daily ALTER COLUMN share TYPE numeric",
            r"expected emotion_daily\.share of the type double precision in PostgreSQL, found numeric; change it back",
        ),
        (
            "ALTER TABLE emotion_daily ALTER COLUMN product TYPE varchar(20)",
            r"expected emotion_daily\.product of the type text in PostgreSQL, found character varying\(20\)",
        ),
        (
            "ALTER TABLE emotion_daily ADD COLUMN note text DEFAULT ''; "
            "ALTER TABLE emotion_daily ALTER COLUMN note SET NOT NULL, ALTER COLUMN note DROP DEFAULT",
            r"found a condition that this version did not make \(emotion_daily, note\); take it off the table",
        ),
        (
            "ALTER TABLE emotion_daily ADD CONSTRAINT early CHECK (event_date < '2026-10-06')",
            r"found a condition that this version did not make \(emotion_daily, early\)",
        ),
        (
            "DROP TABLE emotion_daily; CREATE VIEW emotion_daily AS SELECT 1",
            r"expected a table test_\w+\.emotion_daily, or none, found something else of that name",
        ),
        (
            "ALTER TABLE releases DROP COLUMN release",
            r"found tables that this version did not make \(column \"release\" does not exist\)",
        ),
    ],
    ids=["type", "length", "not null", "check", "view", "release"],
)
def test_what_cannot_be_put_right_is_named(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings, by_hand: str, told: str
) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    ask(database, by_hand)
    run_night(warehouse, "r2", [D6])
    with pytest.raises(UsageError, match=told):
        copy_release(root, database)


def test_an_index_that_cannot_hold_a_value_is_told(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    ask(database, "CREATE INDEX by_source ON emotion_daily (source)")
    run_night(warehouse, "r2", [D6], source="".join(map(chr, range(0x4E00, 0x4E00 + 1_000))))
    with pytest.raises(UsageError, match=r"cannot hold a value \(index row size \d+ exceeds .*by_source"):
        copy_release(root, database)
    ask(database, "DROP INDEX by_source")
    copy_release(root, database)
    require_same(root, database)


def test_a_table_may_be_partitioned_by_its_owner(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [D5])
    copy_release(root, database)
    ask(
        database,
        "CREATE TABLE parted (LIKE emotion_daily) PARTITION BY RANGE (event_date); DROP TABLE emotion_daily; "
        "ALTER TABLE parted RENAME TO emotion_daily; CREATE TABLE of_october PARTITION OF emotion_daily "
        "FOR VALUES FROM ('2026-10-01') TO ('2026-11-01')",
    )
    run_night(warehouse, "r2", [D6])
    assert copy_release(root, database).days == 2
    require_same(root, database)


@pytest.mark.parametrize("name", ["ctid", "x" * 64])
def test_a_dimension_that_no_column_can_be_called_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"found {name}; give it another name in input.dimensions"):
        wanted_columns(["source", name])


def test_every_column_has_a_type() -> None:
    kinds = {kind for columns in wanted_columns([]).values() for kind in columns.values()}
    assert kinds == {*tables._KINDS.values(), "jsonb"}


def test_the_queries_of_a_page_use_indexes(root: str, database: PostgresSettings) -> None:
    products = [f"product {number}" for number in range(12)]
    write_release(Path(root), Feedback(dimensions={"product": products}, days=150, mean=3, terms=None))
    copy_release(root, database)
    recent = "FROM emotion_daily WHERE event_date BETWEEN '2026-10-05' AND '2026-10-18'"
    for query in (
        f"SELECT event_date, product, emotion, sum(feedback_count) {recent} GROUP BY 1, 2, 3",
        f"SELECT event_date, sum(total_count) {recent} AND product = 'product 1' GROUP BY 1",
        "SELECT max(event_date) FROM emotion_daily",
    ):
        plan = "\n".join(line for (line,) in ask(database, f"EXPLAIN {query}"))
        assert "emotion_daily_event_date_idx" in plan
        assert "Seq Scan on emotion_daily" not in plan


def test_names_are_looked_up_in_the_systems_schema_only(
    warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    """A function that somebody has put into the search path is not called by the publisher."""
    run_night(warehouse, "r1", [D5])
    trap = f"trap_{database.schema_name}"
    ask(
        database,
        f"CREATE SCHEMA {trap}; CREATE FUNCTION {trap}.hashtext(text) RETURNS int LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE 'called'; END $$",
    )
    path = f"{database.connection} options='-c search_path={trap},pg_catalog'"
    copy_release(root, database.model_copy(update={"connection": path}))
    require_same(root, database)
