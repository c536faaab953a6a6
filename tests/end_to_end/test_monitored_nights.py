"""Real nights that are told to others: published and refused ones, while the others are well, slow, broken or gone."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.helpers.jobs import Ended, Submit, query
from tests.helpers.promtool import promtool
from tests.helpers.receiver import MUTE, receiver
from tests.helpers.tweets import DAYS, own_tweets, tweets_settings

pytestmark = pytest.mark.slow

SECRET = "zebra ocelot"  # noqa: S105  # in each message, and the name of each author


@dataclass(frozen=True)
class Told:
    """A published night and a refused one, and what others were told of them."""

    published: Ended
    refused: Ended
    metrics: list[str]
    lines: list[Any]
    events: list[Any]
    messages: list[Any]
    warehouse: Path


def monitoring(folder: Path, url: str) -> list[str]:
    return [
        f"--set=monitoring.prometheus_file={folder}/emotions.prom",
        f"--set=monitoring.json_lines={folder}/nights.jsonl",
        f"--set=monitoring.openlineage_url={url}",
        "--set=monitoring.webhook=true",
    ]


@pytest.fixture(scope="module")
def told(score_feedback: Submit, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told")
    tweets = own_tweets()
    secret = pa.array([SECRET] * tweets.num_rows)
    tweets = tweets.set_column(tweets.schema.names.index("author"), "author", secret)
    texts = [f"{SECRET} {text}" for text in tweets["text"].to_pylist()]
    tweets = tweets.set_column(tweets.schema.names.index("text"), "text", pa.array(texts))
    pq.write_table(tweets, folder / "tweets.parquet")
    with receiver() as taken, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOTION_UDF_WEBHOOK_URL", f"{taken.url}/hook")
        night = [*tweets_settings(folder / "tweets.parquet", folder / "w"), *monitoring(folder, taken.url)]
        published = score_feedback(*night, f"--date={DAYS[0]}")
        metrics = [(folder / "emotions.prom").read_text()]
        refused = score_feedback(*night, f"--date={DAYS[1]}", "--set=gate.min_messages=1000")
        metrics.append((folder / "emotions.prom").read_text())
    events = [body for path, _, body in taken.posted if path == "/api/v1/lineage"]
    messages = [body for path, _, body in taken.posted if path == "/hook"]
    lines = [json.loads(line) for line in (folder / "nights.jsonl").read_text().splitlines()]
    return Told(published, refused, metrics, lines, events, messages, folder / "w")


def test_the_nights_end_as_they_would_untold(told: Told) -> None:
    assert (told.published.code, told.refused.code) == (0, 4), told.published.output + told.refused.output
    assert query(told.warehouse, "SELECT outcome FROM runs ORDER BY started_at") == [("published",), ("refused",)]


def test_metrics_of_both(told: Told) -> None:
    after, later = told.metrics
    ((read, labelled),) = query(told.warehouse, "SELECT rows_read, rows_labelled FROM runs WHERE outcome = 'published'")
    assert f'emotion_night_rows{{kind="read",night="emotions"}} {read:.1f}' in after
    assert f'emotion_night_rows{{kind="labelled",night="emotions"}} {labelled:.1f}' in after
    success = next(line for line in after.splitlines() if line.startswith("emotion_night_last_success"))
    assert success in later.splitlines()
    assert 'emotion_gate_passed{gate="fewest_messages",night="emotions"} 0.0' in later
    assert 'emotion_release_number{night="emotions"} 1.0' in later
    assert promtool("check", "metrics", text=later) == ""


def test_a_line_each(told: Told) -> None:
    assert [(line["outcome"], line["exit_code"], line["release"]) for line in told.lines] == [
        ("published", 0, 1),
        ("refused", 4, 1),
    ]


def test_events_of_both(told: Told) -> None:
    assert [event["eventType"] for event in told.events] == ["START", "COMPLETE", "START", "FAIL"]
    complete = told.events[1]
    versions = {
        output["name"].rpartition("/")[2]: output["facets"]["version"]["datasetVersion"]
        for output in complete["outputs"]
    }
    pointer = query_release(told.warehouse)
    assert versions == {table: str(version) for table, version in pointer.items()}


def query_release(warehouse: Path) -> dict[str, int]:

    (row,) = DeltaTable(warehouse / "releases").to_pyarrow_table().to_pylist(maps_as_pydicts="strict")
    versions: dict[str, int] = row["versions"]
    return versions


def test_the_webhook_hears_of_the_refused_one_only(told: Told) -> None:
    (message,) = told.messages
    assert message["failed_gates"] == ["fewest_messages"]


def test_no_text_and_no_author_is_anywhere(told: Told) -> None:
    everything = json.dumps([told.metrics, told.lines, told.events, told.messages])
    assert [word for word in SECRET.split() if word in everything] == []


@pytest.mark.parametrize("answer", [MUTE, 500, None])
def test_a_night_is_published_whoever_is_not_well(
    answer: int | None,
    score_feedback: Submit,
    tweets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The scores are those of the night before, so that this one is short."""
    with receiver(answer or 200) as taken:
        url = taken.url if answer else "http://127.0.0.1:1"
        monkeypatch.setenv("EMOTION_UDF_WEBHOOK_URL", f"{url}/hook")
        os.symlink("/proc/self", tmp_path / "closed")  # where nothing can be written
        night = [*tweets_settings(tweets, tmp_path / "w"), *monitoring(tmp_path / "closed", url)]
        more = ["--set=monitoring.wait_s=2", "--set=postgres.connection=host=/nowhere"]
        ended = score_feedback(*night, f"--date={DAYS[0]}", *more)
    assert ended.code == 0, ended.output
    assert "OpenLineage: not done" in ended.err
    assert "metrics for Prometheus: not done" in ended.err
    assert "nothing is copied to PostgreSQL: expected a connection to PostgreSQL, found none" in ended.err
    assert query(tmp_path / "w", "SELECT outcome FROM runs") == [("published",)]
