"""Every question of docs/sql.md, asked of a small release by every engine that is at hand.

What an answer has to be is counted here in Python, from the rows themselves.
"""

import csv
import io
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product as pairs
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlglot
from pyspark.sql import SparkSession

from emotion_udf.audit.precision import Stratum, precision
from emotion_udf.emotions import EMOTIONS
from emotion_udf.jobs.sql_prompt import Prompt
from emotion_udf.schemas import TEXT_SCORES
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.audits import write_audits
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.readers import open_for_readers
from tests.helpers.labelled import label_of, publish_labels
from tests.helpers.paths import ROOT
from tests.helpers.postgres import find_postgres, running_postgres

PAGE = (ROOT / "docs/sql.md").read_text(encoding="utf-8")
FIRST, LAUNCH, LAST = date(2026, 10, 5), date(2026, 10, 12), date(2026, 10, 18)
OLD, NEW = "a" * 32, "b" * 32

Row = dict[str, Any]
Answer = list[tuple[Any, ...]]
Ask = Callable[[str], Answer]


def statements() -> dict[str, list[str]]:
    """Return the page's SQL by its headings."""
    found: dict[str, list[str]] = {}
    for section in PAGE.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        found[heading] = re.findall(r"^```sql\n(.*?)^```$", body, flags=re.MULTILINE | re.DOTALL)
    return found


OPENING = statements()["Open the tables"]
QUESTIONS = {
    f"{heading} {number}": sql
    for heading, queries in statements().items()
    if heading != "Open the tables"
    for number, sql in enumerate(queries, start=1)
}


def made_up_labels() -> list[Row]:
    """Two weeks of two products and of messages without one: a launch that angers, and a text that is copied."""
    chance = random.Random(4)  # noqa: S311
    labels: list[Row] = []
    for number, (offset, source, product) in enumerate(
        pairs(range(14), ("tweet", "review"), ("Kettle One", "Lumen App", None))
    ):
        day = FIRST + timedelta(days=offset)
        is_angry = product == "Kettle One" and day >= LAUNCH
        weights = [2, 5, 1, 6 if is_angry else 2, 1, 1]
        for copy in range(chance.randint(2, 9)):
            (emotion,) = chance.choices(EMOTIONS, weights)
            text = "they are all the same" if chance.random() < 0.2 else f"text {number} {copy} {emotion}"
            is_foreign = chance.random() < 0.05
            confidence = chance.choice([0.5, 0.75, 0.875, 1.0])
            labels.append(
                label_of(
                    day, f"m-{number}-{copy}", emotion, text, source=source, product=product, confidence=confidence,
                    is_confident=confidence >= 0.8 and not is_foreign, language="de" if is_foreign else "en",
                    is_supported_language=not is_foreign, is_truncated=chance.random() < 0.1,
                    unknown_token_count=chance.randint(0, 3), model_fingerprint=NEW if day >= LAUNCH else OLD,
                )
            )  # fmt: skip
    return labels


LABELS = made_up_labels()


def made_up_audits() -> list[Row]:
    """What people said of every fifth message; of one stratum everything is right."""
    chance = random.Random(5)  # noqa: S311
    strata = Counter(stratum_of(row) for row in LABELS)
    return [
        {
            "sample_id": "sample-0123456789ab", "from_date": FIRST, "to_date": LAST, "event_date": row["event_date"],
            "feedback_id": row["feedback_id"], "emotion": row["emotion"], "confidence": row["confidence"],
            "stratum": stratum_of(row), "stratum_count": strata[stratum_of(row)],
            "human_emotion": row["emotion"] if chance.random() < 0.7 or row["emotion"] == "joy" else "none",
            "model_fingerprint": row["model_fingerprint"], "recorded_at": datetime(2026, 10, 20, tzinfo=UTC),
        }
        for row in LABELS[::5]
    ]  # fmt: skip


def stratum_of(row: Row) -> str:
    return f"{row['emotion']}/{'confident' if row['is_confident'] else 'unclear'}"


AUDITS = made_up_audits()


def made_up_scores() -> list[Row]:
    """Every text by both models; the new one finds anger where the old one found joy."""
    texts = {row["text_key"]: row for row in LABELS}
    other = {"joy": "anger"}
    return [
        {
            "text_key": key, "model_fingerprint": model, "emotion": emotion, "confidence": 0.5,
            **dict.fromkeys(EMOTIONS, 0.1), "token_count": 3, "unknown_token_count": 0, "is_truncated": False,
            "engine": "torch", "precision": "auto", "event_date": LAST, "run_id": "run-1",
        }
        for key, row in texts.items()
        for model, emotion in ((OLD, row["emotion"]), (NEW, other.get(row["emotion"], row["emotion"])))
    ]  # fmt: skip


SCORES = made_up_scores()

_MOVER_COLUMNS = 9
"""The one question whose answer is sorted by a fraction, by the number of its columns."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DeltaWarehouse:
    import pyarrow as pa
    from deltalake import write_deltalake

    made = DeltaWarehouse(open_folder(str(tmp_path_factory.mktemp("warehouse"))))
    publish_labels(made, LABELS)
    write_audits(made, AUDITS[0]["sample_id"], AUDITS)
    write_deltalake(made.address(TEXT_SCORES), pa.Table.from_pylist(SCORES), partition_by=["model_fingerprint"])
    return made


@pytest.fixture(scope="module")
def prompt(warehouse: DeltaWarehouse) -> Prompt:
    return Prompt(open_for_readers(warehouse.root))


@pytest.fixture(scope="module")
def by_duckdb(prompt: Prompt) -> Ask:
    return lambda sql: prompt.connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def by_spark(spark: SparkSession, warehouse: DeltaWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    folder = tmp_path_factory.mktemp("views")
    for name, table in open_for_readers(warehouse.root).tables.items():
        pq.write_table(table.to_pyarrow_table(), folder / f"{name}.parquet")
        spark.read.parquet(str(folder / f"{name}.parquet")).createOrReplaceTempView(name)
    return lambda sql: [tuple(row) for row in spark.sql(sql).collect()]


@pytest.fixture(scope="module")
def by_postgres(prompt: Prompt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    from emotion_udf.postgres.copy import copy_release

    programs = find_postgres()
    if programs is None:
        pytest.skip("needs PostgreSQL, found none; apt-get install postgresql")
    folder = tmp_path_factory.mktemp("copies")
    with running_postgres(programs) as server:
        copy_release(prompt.view.root.delta_uri, PostgresSettings(connection=server.connection))
        for name, columns in postgres_columns(prompt).items():
            copied = ", ".join(columns)
            file = folder / f"{name}.csv"
            prompt.connection.execute(f"COPY (SELECT {copied} FROM {name}) TO '{file}' (HEADER)")  # noqa: S608
            created = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            server.run(f"CREATE TABLE {name} ({created});\n\\copy {name} FROM '{file}' WITH (FORMAT csv, HEADER)")

        def ask(sql: str) -> Answer:
            answer = server.run(f"SET search_path = emotions, public;\n{sql}")
            return [tuple(map(value_of, row)) for row in list(csv.reader(io.StringIO(answer)))[1:]]

        yield ask


def postgres_columns(prompt: Prompt) -> dict[str, dict[str, str]]:
    """Return the columns of tables that are copied by hand, in PostgreSQL's words; of `audits` those of the page."""
    kinds = {"VARCHAR": "text", "FLOAT": "real", "DOUBLE": "double precision"}
    (created,) = (sql for sql in OPENING if "-- PostgreSQL" in sql)
    audits = dict(column.split(" ", 1) for column in created[created.index("(") + 1 : created.rindex(")")].split(", "))
    found = {"audits": audits}
    for name in ("emotion_labels", "text_scores"):
        described = prompt.connection.execute(f"DESCRIBE {name}").fetchall()
        found[name] = {column: kinds.get(kind, kind) for column, kind, *_ in described}
    described = prompt.connection.execute("DESCRIBE audits").fetchall()
    assert list(audits) == [column for column, *_ in described], "or the page's COPY would mix columns up"
    return found


def value_of(cell: str) -> Any:
    """Read a cell of psql."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", cell):
        return date.fromisoformat(cell)
    if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell):
        return float(cell)
    return {"\\N": None, "t": True, "f": False}.get(cell, cell)


def share(rows: Sequence[Row], emotion: str) -> float:
    return [row["emotion"] for row in rows].count(emotion) / len(rows)


def of_week(later: bool) -> list[Row]:
    return [row for row in LABELS if (row["event_date"] >= LAUNCH) == later]


def by_week() -> Answer:
    weeks = ((FIRST, of_week(False)), (LAUNCH, of_week(True)))
    counted = [(week, emotion, rows, share(rows, emotion)) for week, rows in weeks for emotion in sorted(EMOTIONS)]
    return [(week, emotion, round(of * len(rows)), of) for week, emotion, rows, of in counted]


def movers() -> Answer:
    found = []
    for name, emotion in pairs(("Kettle One", "Lumen App", None), EMOTIONS):
        before, after = ([row for row in of_week(later) if row["product"] == name] for later in (False, True))
        change = share(after, emotion) - share(before, emotion)
        p, q = ((share(rows, emotion) * len(rows) + 1) / (len(rows) + 2) for rows in (before, after))
        margin = 1.96 * math.sqrt(p * (1 - p) / (len(before) + 2) + q * (1 - q) / (len(after) + 2))
        shares = (share(before, emotion), share(after, emotion), change, q - p - margin, q - p + margin)
        found.append((name, emotion, len(before), len(after), *shares))
    return sorted(found, key=lambda row: -abs(row[6]))


def launch() -> Answer:
    found = []
    for emotion in sorted(EMOTIONS):
        kettle, others = (
            [
                share([r for r in of_week(later) if (r["product"] == "Kettle One") == own], emotion)
                for later in (False, True)
            ]
            for own in (True, False)
        )
        change, elsewhere = kettle[1] - kettle[0], others[1] - others[0]
        found.append((emotion, *kettle, change, elsewhere, change - elsewhere))
    return found


def unsure() -> Answer:
    found = []
    for source in ("review", "tweet"):
        rows = [row for row in LABELS if row["source"] == source]
        flags = [(not row["is_confident"], not row["is_supported_language"], row["is_truncated"]) for row in rows]
        shares = (sum(column) / len(rows) for column in zip(*flags, strict=True))
        unknown = sum(row["unknown_token_count"] for row in rows) / sum(row["token_count"] for row in rows)
        found.append((source, len(rows), *shares, unknown))
    return sorted(found, key=lambda row: -row[2])


def least_sure() -> Answer:
    unsure = [row for row in LABELS if not row["is_confident"] and row["event_date"] == LAST]
    rows = sorted(unsure, key=lambda row: (row["confidence"], row["feedback_id"]))
    names = ("event_date", "feedback_id", "emotion", "confidence", "language", "is_truncated")
    return [tuple(row[name] for name in names) for row in rows]


def copies() -> Answer:
    messages = Counter(row["emotion"] for row in LABELS)
    texts = Counter(emotion for emotion, _ in {(row["emotion"], row["text_key"]) for row in LABELS})
    return [
        (name, messages[name], texts[name], messages[name] / messages.total(), texts[name] / texts.total())
        for name in sorted(EMOTIONS)
    ]


def most_copied() -> Answer:
    counted = Counter((row["event_date"], row["text_key"], row["emotion"]) for row in LABELS)
    found = [(*key, count) for key, count in counted.items() if count > 1]
    return sorted(found, key=lambda row: (-row[3], *row[:3]))


def right() -> Answer:
    found = []
    for emotion in sorted(EMOTIONS):
        strata: dict[str, list[Row]] = defaultdict(list)
        for row in AUDITS:
            if row["emotion"] == emotion:
                strata[row["stratum"]].append(row)
        estimate = precision(
            Stratum(rows[0]["stratum_count"], len(rows), sum(r["human_emotion"] == emotion for r in rows))
            for rows in strata.values()
        )
        counts = (AUDITS[0]["sample_id"], emotion, estimate.messages, estimate.read)
        found.append((*counts, estimate.value, estimate.low, estimate.high))
    return found


def wrong() -> Answer:
    counted = Counter((r["emotion"], r["human_emotion"]) for r in AUDITS if r["emotion"] != r["human_emotion"])
    return sorted(((*key, count) for key, count in counted.items()), key=lambda row: (-row[2], row[0]))


def models() -> Answer:
    days: dict[tuple[date, str], list[bool]] = defaultdict(list)
    for row in LABELS:
        days[row["event_date"], row["model_fingerprint"]].append(row["is_confident"])
    return [(*key, len(sure), sum(sure) / len(sure)) for key, sure in sorted(days.items())]


def other_models() -> Answer:
    said = {(row["text_key"], row["model_fingerprint"]): row["emotion"] for row in SCORES}
    other = {OLD: NEW, NEW: OLD}
    counted = Counter(
        (model, row["emotion"], said[row["text_key"], model])
        for row in LABELS
        for model in [other[row["model_fingerprint"]]]
    )
    return sorted(((*key, count) for key, count in counted.items()), key=lambda row: (-row[3], *row[:3]))


EXPECTED: Mapping[str, Callable[[], Answer]] = dict(
    zip(
        QUESTIONS,
        [by_week, movers, launch, unsure, least_sure, copies, most_copied, right, wrong, models, other_models],
        strict=True,
    )
)


def check(asked: str, ask: Ask) -> None:
    """Compare the answer to a question with the one that was counted."""
    found, expected = (list(map(plain, rows)) for rows in (ask(QUESTIONS[asked]), EXPECTED[asked]()))
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(sorted(found, key=words_of), sorted(expected, key=words_of), strict=True):
        assert words_of(ours) == words_of(theirs)
        assert numbers_of(ours) == pytest.approx(numbers_of(theirs), rel=1e-6, abs=1e-9)
    assert [rank(row) for row in found] == [rank(row) for row in expected], "in the order that the page asks for"


def rank(row: tuple[str | float, ...]) -> list[str] | float:
    """Return what a row is sorted by; changes that are equal but for rounding may change places."""
    return round(abs(numbers_of(row)[4]), 9) if len(row) == _MOVER_COLUMNS else words_of(row)


def plain(row: tuple[Any, ...]) -> tuple[str | float, ...]:
    """Return a row in the types that all engines have in common."""
    return tuple(float(value) if isinstance(value, (int, float, Decimal)) else str(value) for value in row)


def words_of(row: tuple[str | float, ...]) -> list[str]:
    return [value for value in row if isinstance(value, str)]


def numbers_of(row: tuple[str | float, ...]) -> list[float]:
    return [value for value in row if isinstance(value, float)]


@pytest.mark.parametrize("asked", QUESTIONS)
def test_duckdb_answers(asked: str, by_duckdb: Ask) -> None:
    check(asked, by_duckdb)


@pytest.mark.parametrize("asked", QUESTIONS)
def test_spark_answers(asked: str, by_spark: Ask) -> None:
    check(asked, by_spark)


@pytest.mark.parametrize("asked", QUESTIONS)
def test_postgres_answers(asked: str, by_postgres: Ask) -> None:
    check(asked, by_postgres)


@pytest.mark.parametrize("dialect", ["trino", "spark", "duckdb", "postgres"])
@pytest.mark.parametrize("asked", QUESTIONS)
def test_each_dialect_takes_every_question(asked: str, dialect: str) -> None:
    parsed = sqlglot.parse_one(QUESTIONS[asked], dialect=dialect)
    assert isinstance(parsed, sqlglot.exp.Query)


@pytest.mark.parametrize("opening", OPENING, ids=lambda sql: sql.partition("\n")[0].removeprefix("-- "))
def test_what_opens_the_tables_is_of_its_dialect(opening: str) -> None:
    dialect = {"-- Spark SQL": "spark", "-- Trino": "trino", "-- PostgreSQL": "postgres"}[opening.partition("\n")[0]]
    assert all(statement is not None for statement in sqlglot.parse(opening, dialect=dialect))
