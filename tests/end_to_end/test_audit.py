"""An audit from the draw to the precision: people see texts of the input, the tables get what they said."""

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from emotion_udf.emotions import EMOTIONS
from emotion_udf.jobs.audit_labels import main
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.jobs import Ended, run_main
from tests.helpers.labelled import label_of, publish_labels
from tests.helpers.messages import DAY, NOON, write_messages

pytestmark = pytest.mark.slow

FIRST_ID = 1_234_567_890_123_456_000
NEXT = DAY + timedelta(days=1)
SCHEMA = pa.schema(
    [("id", pa.int64()), ("text", pa.string()), ("created_at", pa.timestamp("us", tz="UTC")), ("source", pa.string())]
)
EDITED, LOST = FIRST_ID + 1, FIRST_ID + 2

Audit = Callable[..., Ended]


def text_of(number: int) -> str:
    return f"=secret words {number}, with a comma" if number % 2 else f"secret words\nof {number}"


def messages() -> list[tuple[int, date, str, str]]:
    """Sixty messages of two days with their ids, days, emotions and texts."""
    return [(FIRST_ID + n, DAY if n < 40 else NEXT, EMOTIONS[(0, 1, 1, 3, 3, 3)[n % 6]], text_of(n)) for n in range(60)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An input with whole numbers for ids, of which one message was edited since and one is gone, and its labels."""
    rows = [
        {"id": id_, "text": "edited" if id_ == EDITED else text, "created_at": NOON + (day - DAY), "source": "tweet"}
        for id_, day, _, text in messages()
        if id_ != LOST
    ]
    write_messages(tmp_path / "input/a.parquet", rows, SCHEMA)
    labels = [
        label_of(day, str(id_), emotion, text, confidence=0.9 if id_ % 4 else 0.6)
        for id_, day, emotion, text in messages()
    ]
    warehouse = DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))
    publish_labels(warehouse, [row for row in labels if row["event_date"] == DAY], "night-1")
    publish_labels(warehouse, [row for row in labels if row["event_date"] == NEXT], "night-2")
    return tmp_path


@pytest.fixture
def audit(folder: Path, in_session: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Audit:  # noqa: ARG001
    monkeypatch.setenv("COLUMNS", "200")
    config = folder / "nightly.toml"
    config.write_text(f'[input]\npath = "{folder}/input"\n[warehouse]\nroot = "{folder}/warehouse"\n')
    return lambda *arguments: run_main(main, ["--config", str(config), *map(str, arguments)])


def sheet(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


def fill(file: Path, word_of: Callable[[dict[str, str]], str]) -> None:
    rows = [row | {"human_emotion": word_of(row)} for row in sheet(file)]
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def audits(folder: Path) -> list[dict[str, Any]]:
    return list(DeltaTable(folder / "warehouse/audits").to_pyarrow_table().to_pylist())


def test_people_read_texts_and_the_table_gets_their_words(folder: Path, audit: Audit) -> None:
    out = folder / "sample.csv"
    drawn = audit("draw", "--n", 60, "--from", DAY, "--to", NEXT, "--out", out)
    assert drawn.code == 0, drawn.output
    assert "2 messages are left out" in drawn.err
    rows = sheet(out)
    texts = {str(id_): text for id_, _, _, text in messages() if id_ not in (EDITED, LOST)}
    assert {row["feedback_id"].removeprefix("'"): row["text"].removeprefix("'") for row in rows} == texts
    assert not any(row["text"].startswith("=") for row in rows)
    assert not set(EMOTIONS) & set(out.read_text(encoding="utf-8-sig").replace("human_emotion", "").split(","))

    emotion_of = {str(id_): emotion for id_, _, emotion, _ in messages()}
    unfilled = rows[0]["feedback_id"]

    def word(row: dict[str, str]) -> str:
        emotion = emotion_of[row["feedback_id"].removeprefix("'")]
        return "" if row["feedback_id"] == unfilled else "none" if emotion == "joy" else emotion

    fill(out, word)
    recorded = audit("record", out)
    assert recorded.code == 0, recorded.output
    assert "57 messages recorded, 1 of the sample not filled" in recorded.out
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in recorded.out.splitlines() if "│" in line]
    precision = {line[0]: (line[1], line[3].partition(" ")[0]) for line in lines}
    assert precision == {"sadness": ("10", "100"), "joy": ("20", "0"), "anger": ("30", "100"), "all": ("60", "67")}

    found = {row["feedback_id"]: row for row in audits(folder)}
    assert len(found) == 57
    assert all(row["human_emotion"] == {"joy": "none"}.get(row["emotion"], row["emotion"]) for row in found.values())
    assert {row["stratum"]: row["stratum_count"] for row in found.values()} == {
        "anger/confident": 25, "anger/unclear": 5, "joy/confident": 15, "joy/unclear": 5, "sadness/confident": 5,
        "sadness/unclear": 5,
    }  # fmt: skip
    assert {(row["from_date"], row["to_date"], row["event_date"]) for row in found.values()} == {
        (DAY, NEXT, DAY), (DAY, NEXT, NEXT),
    }  # fmt: skip
    assert "secret" not in drawn.output + recorded.output

    assert audit("record", out).code == 0
    assert len(audits(folder)) == 57, "recording again replaces"


def test_the_newest_release_is_drawn_from_and_a_seed_draws_the_same(folder: Path, audit: Audit) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        drawn = audit("draw", "--n", 12, "--seed", seed, "--out", folder / f"{name}.csv")
        assert drawn.code == 0, drawn.output
        assert f"Sample of {NEXT}, release 2" in drawn.out
    first, again, other = (sheet(folder / f"{name}.csv") for name in "abc")
    assert first == again != other
    ids = {str(id_) for id_, day, _, _ in messages() if day == NEXT}
    assert {row["feedback_id"].removeprefix("'") for row in first} < ids
    samples = DeltaTable(folder / "warehouse/audit_samples").to_pyarrow_table().to_pylist()
    assert len(samples) == 24
    assert not list((folder / "warehouse/_staging").iterdir()), "no mark stays"


def test_a_message_that_is_forgotten_meanwhile_cannot_be_recorded(folder: Path, audit: Audit) -> None:
    from emotion_udf.jobs.maintain_tables import main as maintain

    out = folder / "sample.csv"
    assert audit("draw", "--n", 12, "--out", out).code == 0
    (folder / "ids.txt").write_text(sheet(out)[4]["feedback_id"].removeprefix("'"))
    config = ["--config", str(folder / "nightly.toml")]
    assert run_main(maintain, [*config, "forget", "--ids", str(folder / "ids.txt")]).code == 0
    fill(out, lambda _: "joy")
    refused = audit("record", out)
    assert refused.code == 3
    assert "row 6: expected a number of the sample, found 5; where the message was forgotten since" in refused.err
    assert not (folder / "warehouse/audits").exists()


def test_texts_that_the_input_no_longer_has_are_told(folder: Path, audit: Audit) -> None:
    write_messages(folder / "input/a.parquet", [{"id": 1, "text": "x", "created_at": NOON, "source": "tweet"}], SCHEMA)
    refused = audit("draw", "--n", 12, "--date", DAY, "--out", folder / "sample.csv")
    assert refused.code == 3
    assert "expected the texts of 2026-10-05 in the input, found none as it was labelled" in refused.err
    assert not (folder / "sample.csv").exists()
