"""The demo's sample, with the rows that real feeds have."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from demo.make_input import SAMPLE, main
from tests.helpers.jobs import Ended, Submit, query
from tests.helpers.paths import ROOT


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warehouse")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "dashboard.html"


@pytest.fixture(scope="module")
def demo(warehouse: Path, page: Path, score_feedback: Submit, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    feedback = tmp_path_factory.mktemp("demo") / "feedback"
    main(feedback)
    overrides = (f"--set=input.path={feedback}", f"--set=warehouse.root={warehouse}", f"--set=dashboard.out={page}")
    return score_feedback("--config=conf/demo.toml", *overrides, "--from=2026-10-05", "--to=2026-10-18")


def sample() -> list[dict[str, str | None]]:
    return [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]


def test_the_demo_publishes_and_shows_its_tables(demo: Ended, warehouse: Path) -> None:
    assert demo.code == 0, demo.output
    for shown in ("rows read", "quarantined", "rows/s", "Emotions by source", "review", "support", "tweet"):
        assert shown in demo.output
    for table in ("emotion_labels", "emotion_daily", "emotion_terms", "quarantine", "runs"):
        assert str(warehouse / table) in demo.output


def test_the_demo_ends_with_the_page(demo: Ended, page: Path) -> None:
    assert demo.out.rstrip().endswith(f"Dashboard: {page}")
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")


@pytest.mark.usefixtures("demo")
def test_every_row_of_the_sample_is_labelled_or_quarantined(warehouse: Path) -> None:
    ((read, labelled, quarantined),) = query(warehouse, "SELECT rows_read, rows_labelled, rows_quarantined FROM runs")

    assert read == len(sample()) == labelled + quarantined
    assert query(warehouse, "SELECT count(*) FROM emotion_labels") == [(labelled,)]
    assert query(warehouse, "SELECT count(*) FROM quarantine") == [(quarantined,)]
    assert query(warehouse, "SELECT sum(feedback_count) FROM emotion_daily") == [(labelled,)]


@pytest.mark.usefixtures("demo")
def test_terms_are_words_that_several_confident_texts_of_an_emotion_share(warehouse: Path) -> None:
    terms = query(warehouse, "SELECT term, distinct_text_count FROM emotion_terms")
    too_many = """
        SELECT * FROM emotion_terms JOIN (
            SELECT event_date, emotion, count(DISTINCT text_key) AS texts FROM emotion_labels WHERE is_confident
            GROUP BY ALL
        ) USING (event_date, emotion) WHERE distinct_text_count > texts
    """
    assert terms
    assert all(re.fullmatch(r"[^\W\d_]+(?:'\w+)?(?: [^\W\d_]+(?:'\w+)?)?", term) for term, _ in terms), terms
    assert min(texts for _, texts in terms) == 2, "as conf/demo.toml asks"
    assert query(warehouse, too_many) == []


@pytest.mark.usefixtures("demo")
def test_copies_of_a_text_are_one_distinct_text(warehouse: Path) -> None:
    by_key = "SELECT count(DISTINCT (event_date, source, product, text_key)) FROM emotion_labels"
    assert query(warehouse, "SELECT sum(distinct_text_count) FROM emotion_daily") == query(warehouse, by_key)


@pytest.mark.usefixtures("demo")
def test_quarantine_holds_what_the_sample_has_wrong(warehouse: Path) -> None:
    rows = sample()
    found = dict(query(warehouse, "SELECT unnest(reasons) AS reason, count(*) FROM quarantine GROUP BY 1"))
    good = [r for r in rows if r["feedback_id"] and r["created_at"] and (r["text"] or "").strip()]
    again = sum(count - 1 for count in Counter((r["feedback_id"], str(r["created_at"])[:10]) for r in good).values())

    assert found == {
        "missing_id": sum(not row["feedback_id"] for row in rows),
        "missing_text": sum(row["text"] is None for row in rows),
        "blank_text": sum(row["text"] is not None and row["text"].strip() == "" for row in rows),
        "missing_created_at": sum(row["created_at"] is None for row in rows),
        "duplicate_id": again,
    }


@pytest.mark.usefixtures("demo")
def test_awkward_messages_are_labelled(warehouse: Path) -> None:
    ((longest, truncated),) = query(
        warehouse, "SELECT max(token_count), count(*) FILTER (is_truncated) FROM emotion_labels"
    )

    assert longest > 512
    assert truncated == 3
    assert query(warehouse, "SELECT count(*) FROM emotion_labels WHERE product IS NULL")[0][0] > 0
    assert query(warehouse, "SELECT DISTINCT source FROM emotion_daily ORDER BY 1") == [
        ("review",), ("support",), ("tweet",),
    ]  # fmt: skip


def test_the_readme_shows_this_summary(demo: Ended) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [cells(line) for line in readme.splitlines() if line.startswith("│")]
    found = [cells(line) for line in demo.output.splitlines() if line.startswith("│")]

    assert len(shown) == len(found) == 4
    assert shown[0][:5] == found[0][:5]  # the counts of rows; seconds differ
    for ours, theirs in zip(shown[1:], found[1:], strict=True):
        assert (ours[0], ours[-1]) == (theirs[0], theirs[-1])
        # A message near a tie may get another label where a processor computes in another precision.
        assert [int(n) for n in ours[1:-1]] == pytest.approx([int(n) for n in theirs[1:-1]], abs=2)


def cells(line: str) -> list[str]:
    """Split a row of a table as the report prints it."""
    return [cell.strip() for cell in line.strip("│").split("│")]
