"""Releases with made-up feedback, written by delta-rs alone: as many days, products and sources as a test wants."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.emotions import EMOTIONS
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RUNS, labels_schema, quarantine_schema, runs_schema
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.ownership import Claim
from emotion_udf.tables.releases import move_pointer, next_release, open_pointer

FINGERPRINT = "055c38f2f95e0d2c2562a4fd804e910e"
"""That of the bundled model, of which `evaluation.json` tells."""

_SHARES = np.array([0.16, 0.38, 0.08, 0.22, 0.07, 0.09])
_WORDS = {
    "sadness": ("miss it", "disappointed", "broken", "sad"),
    "joy": ("great", "streak", "works fine", "happy"),
    "love": ("love it", "adore", "gift"),
    "anger": ("refund", "zip split", "furious", "third time", "support"),
    "fear": ("worried", "lost parcel", "safe"),
    "surprise": ("wow", "did not expect", "suddenly"),
}


@dataclass(frozen=True)
class Feedback:
    """What to make up.

    Attributes:
        dimensions: Values by dimension; None is a message without one.
        days: How many, up to `last`.
        last: The last day.
        mean: Messages of a day and combination of dimensions, on average.
        empty: Days, counted from the first, that are published and have no message.
        missing: Days that no run has published.
        only: The one emotion that there is.
        texts: Messages for `emotion_labels`, as (emotion, text).
        terms: More terms, as (emotion, term); None where the release has no terms.
        least: The fewest messages of a term.
        unknown_until: Rows of the first so many days lack the columns that earlier versions did not have.
        forced: Names of gates that the last run forced.
        outcome: How the newest run ended; other than `published`, it comes after the release.
        audited: Audited messages.
        model: The fingerprint of the newest model.
        seed: Of the numbers.
    """

    dimensions: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    days: int = 14
    last: date = date(2026, 10, 18)
    mean: float = 20.0
    empty: Sequence[int] = ()
    missing: Sequence[int] = ()
    only: str | None = None
    texts: Sequence[tuple[str, str]] = ()
    terms: Sequence[tuple[str, str]] | None = ()
    least: int = 1
    unknown_until: int = 0
    forced: Sequence[str] = ()
    outcome: str = "published"
    audited: int = 0
    model: str = FINGERPRINT
    seed: int = 1

    @property
    def dates(self) -> list[date]:
        """The published days."""
        first = self.last - timedelta(days=self.days - 1)
        return [first + timedelta(days=number) for number in range(self.days) if number not in self.missing]

    @property
    def run_ids(self) -> tuple[str, str]:
        """The run of the days up to the middle, which had another model, and that of the others."""
        return "20261001T020000Z-aaaaaa", "20261019T020000Z-bbbbbb"

    def run_of(self, day: date) -> str:
        """Return the run that holds a day."""
        return self.run_ids[(day - self.dates[0]).days * 2 >= self.days or self.days < 4]


def write_release(root: Path | str, feedback: Feedback) -> None:
    """Write all tables and the release below a folder or a URI."""
    tables = DeltaTables(open_folder(str(root)))
    rng = np.random.default_rng(feedback.seed)
    daily = _daily(feedback, rng)
    parts = {LABELS: _labels(feedback), DAILY: daily, QUARANTINE: _quarantine(feedback, rng)}
    if feedback.terms is not None:
        parts["emotion_terms"] = _terms(feedback, daily, rng)
    for name, rows in parts.items():
        for run_id in feedback.run_ids:
            days = [day for day in feedback.dates if feedback.run_of(day) == run_id]
            _append(
                tables,
                name,
                rows.filter(pa.compute.equal(rows["run_id"], run_id)),
                Claim(run_id, [str(d) for d in days]),
            )
    if feedback.audited:
        _append(tables, "audits", _audits(feedback, rng), None)
    _append(tables, RUNS, _runs(feedback), None)
    versions = {name: tables.version(name) for name in parts}
    move_pointer(open_pointer(tables), next_release(None, feedback.run_ids[1], versions))


def _append(tables: DeltaTables, name: str, rows: pa.Table, claim: Claim | None) -> None:
    write_deltalake(
        tables.address(name),
        rows,
        mode="append",
        partition_by=["event_date"],
        name=name,
        storage_options=dict(tables.root.delta_options),
        commit_properties=CommitProperties(custom_metadata=claim.metadata) if claim else None,
    )


def _daily(feedback: Feedback, rng: np.random.Generator) -> pa.Table:
    """Return `emotion_daily`: weekends are quiet, and in the last week or weeks one product is angrier."""
    shown = _days_with_messages(feedback)
    groups = list(product(*feedback.dimensions.values()))
    size = rng.gamma(1.2, 1 / 1.2, len(groups)) + 0.05
    week = np.array([0.7 if day.weekday() > 4 else 1.1 for day in shown])
    totals = rng.poisson(feedback.mean * np.outer(week, size))
    shares = np.tile(_SHARES, (len(shown), len(groups), 1)) * rng.gamma(40, 1 / 40, (1, len(groups), len(EMOTIONS)))
    if feedback.days > 7:
        last_values = len(list(feedback.dimensions.values())[-1]) if feedback.dimensions else 1
        shares[-28 if feedback.days >= 56 else -7 :, ::last_values, 3] *= 2
    if feedback.only:
        shares = np.zeros_like(shares)
        shares[..., EMOTIONS.index(feedback.only)] = 1
    shares /= shares.sum(axis=2, keepdims=True)
    counts = rng.multinomial(totals, shares)
    low = rng.binomial(counts, 0.32)
    copies = rng.binomial(np.maximum(counts - 1, 0), 0.04)
    if len(shown) > 3:
        copies[-3, :, 3] = (counts[-3, :, 3] * 0.6).astype(int)
    # A group without a message has no row.
    present = np.repeat(totals.reshape(-1) > 0, len(EMOTIONS))
    flat = {
        "feedback_count": counts,
        "share": counts / np.maximum(totals, 1)[..., None],
        "mean_probability": (0.75 * counts + 0.25 * shares * totals[..., None]) / np.maximum(totals, 1)[..., None],
        "low_confidence_count": low,
        "truncated_count": rng.binomial(counts, 0.01),
        "distinct_text_count": counts - copies,
        "foreign_count": rng.binomial(counts, 0.03),
        "token_count": counts * 23,
        "unknown_token_count": rng.binomial(counts * 23, 0.002),
        "total_count": np.repeat(totals[..., None], len(EMOTIONS), axis=2),
    }
    columns: dict[str, Any] = {"event_date": _dates(day for day in shown for _ in range(len(groups) * len(EMOTIONS)))}
    for index, name in enumerate(feedback.dimensions):
        column = pa.array([group[index] for group in groups], pa.string())
        codes = np.tile(np.repeat(np.arange(len(groups)), len(EMOTIONS)), len(shown))
        columns[name] = column.take(pa.array(codes))
    columns["emotion"] = pa.array(EMOTIONS).take(pa.array(np.tile(np.arange(6), len(shown) * len(groups))))
    columns |= {name: pa.array(values.reshape(-1)) for name, values in flat.items()}
    columns["run_id"] = _dates_runs(feedback, shown, len(groups) * len(EMOTIONS))
    if feedback.unknown_until:
        early = np.repeat(np.arange(len(shown)) < feedback.unknown_until, len(groups) * len(EMOTIONS))
        for name in ("truncated_count", "distinct_text_count", "foreign_count", "token_count", "unknown_token_count"):
            columns[name] = pa.compute.if_else(pa.array(early), pa.scalar(None, pa.int64()), columns[name])
    return pa.table(columns).filter(pa.array(present))


def _days_with_messages(feedback: Feedback) -> list[date]:
    first = feedback.last - timedelta(days=feedback.days - 1)
    return [day for day in feedback.dates if (day - first).days not in feedback.empty]


def _dates(days: Iterable[date]) -> pa.Array:
    return pa.array(list(days), pa.date32())


def _dates_runs(feedback: Feedback, shown: Sequence[date], times: int) -> pa.Array:
    return pa.array([run for day in shown for run in [feedback.run_of(day)] * times], pa.string())


def _labels(feedback: Feedback) -> pa.Table:
    rows = [
        {
            "event_date": feedback.last,
            "feedback_id": f"m{number}",
            "created_at": datetime.combine(feedback.last, time(9), UTC),
            **{name: values[0] for name, values in feedback.dimensions.items()},
            "text": text,
            "emotion": emotion,
            "confidence": 0.95,
            **{name: float(name == emotion) for name in EMOTIONS},
            "is_confident": True,
            "token_count": 12,
            "is_truncated": False,
            "model_fingerprint": FINGERPRINT,
            "run_id": feedback.run_of(feedback.last),
        }
        for number, (emotion, text) in enumerate(feedback.texts)
    ]
    return pa.Table.from_pylist(rows, _arrow(labels_schema(list(feedback.dimensions), bool(feedback.texts))))


def _quarantine(feedback: Feedback, rng: np.random.Generator) -> pa.Table:
    rows = [
        {"event_date": day, "feedback_id": "x", "reasons": [reason], "raw": "{}", "run_id": feedback.run_of(day)}
        for day in _days_with_messages(feedback)
        for reason in ("blank_text", "duplicate_id")
        for _ in range(rng.poisson(feedback.mean / 8))
    ]
    rows.append({"event_date": feedback.last, "reasons": ["unreadable_file"], "run_id": feedback.run_of(feedback.last)})
    return pa.Table.from_pylist(rows, _arrow(quarantine_schema()))


def _terms(feedback: Feedback, daily: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Return `emotion_terms` by the first two dimensions; each emotion has words of its own."""
    names = list(feedback.dimensions)[:2]
    cells = daily.group_by(["event_date", *names, "emotion", "run_id"]).aggregate([("feedback_count", "sum")])
    words = {name: [*_WORDS[name], "today", "app"] for name in EMOTIONS}
    for emotion, term in feedback.terms or ():
        words[emotion].append(term)
    rows = [
        {**{key: row[key] for key in ("event_date", *names, "emotion", "run_id")}, "term": term, "feedback_count": used}
        for row in cells.to_pylist()
        for term in words[row["emotion"]]
        if (used := int(rng.binomial(row["feedback_count_sum"], 0.3))) >= feedback.least
    ]
    schema = pa.schema(
        [
            ("event_date", pa.date32()),
            *((name, pa.string()) for name in names),
            ("emotion", pa.string()),
            ("term", pa.string()),
            ("feedback_count", pa.int64()),
            ("distinct_text_count", pa.int64()),
            ("run_id", pa.string()),
        ]
    )
    return pa.Table.from_pylist([row | {"distinct_text_count": row["feedback_count"]} for row in rows], schema)


def _audits(feedback: Feedback, rng: np.random.Generator) -> pa.Table:
    rows = []
    for number in range(feedback.audited):
        emotion = EMOTIONS[number % len(EMOTIONS)]
        is_sure = number % 2 == 0
        right = rng.random() < (0.93 if is_sure else 0.7)
        human = emotion if right else [*EMOTIONS, "none"][int(rng.integers(7))]
        rows.append(
            {
                "sample_id": "sample-1",
                "from_date": feedback.dates[0],
                "to_date": feedback.last,
                "event_date": feedback.last,
                "feedback_id": f"m{number}",
                "emotion": emotion,
                "confidence": 0.95 if is_sure else 0.6,
                "stratum": f"{emotion}, {'confident' if is_sure else 'not confident'}",
                "stratum_count": 700 if is_sure else 300,
                "human_emotion": human,
                "model_fingerprint": FINGERPRINT,
                "recorded_at": datetime(2026, 10, 19, 9, tzinfo=UTC),
            }
        )
    return pa.Table.from_pylist(rows)


def _runs(feedback: Feedback) -> pa.Table:
    drift = "label_drift" in feedback.forced
    gates = [
        {"name": "quarantined_row_share", "passed": True, "value": 0.012, "limit": 0.05, "forced": False},
        {"name": "label_drift", "passed": not drift, "value": 0.21 if drift else 0.06, "limit": 0.15, "forced": False},
        {"name": "fewest_of_weekday", "passed": True, "value": None, "limit": 0.5, "forced": False},
    ]
    gates = [gate | {"forced": gate["name"] in feedback.forced} for gate in gates]
    ends = [(feedback.run_ids[0], "published", "0" * 32), (feedback.run_ids[1], "published", feedback.model)]
    if feedback.outcome != "published":
        ends.append(("20261020T020000Z-cccccc", feedback.outcome, feedback.model))
    rows = []
    for number, (run_id, outcome, fingerprint) in enumerate(ends):
        started = datetime.combine(feedback.last, time(2), UTC) + timedelta(days=number)
        rows.append(
            {
                "event_date": feedback.last,
                "run_id": run_id,
                "from_date": feedback.dates[0],
                "to_date": feedback.last,
                "timezone": "UTC",
                "started_at": started,
                "finished_at": started + timedelta(minutes=9),
                "outcome": outcome,
                "exit_code": 0 if outcome == "published" else 4,
                "input": "/lake/feedback",
                "input_files": [],
                "input_bytes": 1,
                "refused_files": 0,
                "rows_read": 1000,
                "rows_quarantined": 12,
                "distinct_texts": 900,
                "rows_labelled": 988,
                "model": "bundled",
                "model_fingerprint": fingerprint,
                "settings_digest": "x",
                "versions": {"emotion-udf": "0.1.0"},
                "seconds": {},
                "rows_per_s": 1.0,
                "gates": gates,
            }
        )
    return pa.Table.from_pylist(rows, _arrow(runs_schema()))


def _arrow(schema: Any) -> pa.Schema:
    return to_arrow_schema(schema, timezone="UTC")
