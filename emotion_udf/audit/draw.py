"""The messages that people are to read: a random sample of each stratum of a window's labels.

A stratum is an emotion together with whether the label is confident. Within one, the messages whose keyed hash is
smallest are drawn: a simple random sample without replacement, the same for a seed in whatever order rows come.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS: Final = ("event_date", "feedback_id", "emotion", "confidence", "is_confident", "model_fingerprint", "text_key")
"""The columns of `emotion_labels` that a draw reads."""

STRATA: Final = 12
"""The most strata that there are: six emotions, confident and unclear."""

_ID_DIGITS: Final = 12


@dataclass(frozen=True)
class Drawn:
    """A message of a sample.

    Attributes:
        event_date: Its day.
        feedback_id: Its id, as the tables have it.
        emotion: The label.
        confidence: The label's probability.
        stratum: Such as `anger/confident`.
        stratum_count: The window's messages in that stratum.
        model_fingerprint: What gave the label.
        text_key: Names the text that was labelled; None in rows of earlier versions.
    """

    event_date: date
    feedback_id: str
    emotion: str
    confidence: float
    stratum: str
    stratum_count: int
    model_fingerprint: str
    text_key: str | None = None


def draw(batches: Iterable[pa.RecordBatch], size: int, seed: int) -> list[Drawn]:
    """Draw a sample of some labels.

    Args:
        batches: Rows of `COLUMNS`; a message is in them once.
        size: Messages to draw; fewer are drawn where there are fewer.
        seed: Another seed draws other messages.

    Returns:
        The messages in random order, so that their order tells no stratum.
    """
    counts: Counter[str] = Counter()
    smallest: dict[str, list[tuple[int, Drawn]]] = {}
    for batch in batches:
        keys = _keys(batch, seed)
        strata = np.array(_strata(batch), dtype=object)
        for stratum in np.unique(strata):
            places = np.flatnonzero(strata == stratum)
            counts[stratum] += len(places)
            best = places[np.argsort(keys[places], kind="stable")[:size]]
            found = zip(keys[best].tolist(), _drawn(batch.take(pa.array(best)), stratum), strict=True)
            merged = sorted([*smallest.get(stratum, []), *found], key=_order)
            smallest[stratum] = merged[:size]
    granted = allocate(counts, size)
    chosen = [pair for stratum, pairs in smallest.items() for pair in pairs[: granted[stratum]]]
    return [replace(drawn, stratum_count=counts[drawn.stratum]) for _, drawn in sorted(chosen, key=_order)]


def allocate(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """Share a sample among strata: half of it equally, the other half by their sizes, at least one each.

    Equal shares serve the precision of a rare emotion, shares by size the precision of all labels. Rows go one by one
    to the stratum that is furthest behind its share (Sainte-Lague); one that has no more messages gets no more.

    Args:
        counts: Messages of each stratum, none of them empty.
        size: Messages to draw.
    """
    total = sum(counts.values())
    weights = {stratum: 1 / len(counts) + count / total for stratum, count in counts.items()}
    granted = dict.fromkeys(counts, 1)
    waiting = [(-weights[stratum] / 3, stratum) for stratum, count in counts.items() if count > 1]
    heapq.heapify(waiting)
    for _ in range(min(size, total) - len(counts)):
        _, stratum = heapq.heappop(waiting)
        granted[stratum] += 1
        if granted[stratum] < counts[stratum]:
            heapq.heappush(waiting, (-weights[stratum] / (2 * granted[stratum] + 1), stratum))
    return granted


def sample_id(rows: Sequence[Drawn]) -> str:
    """Name a sample by what was drawn: the same rows have the same name."""
    digest = hashlib.sha256(repr([astuple(row) for row in rows]).encode(errors="surrogatepass")).hexdigest()
    return f"sample-{digest[:_ID_DIGITS]}"


def _order(pair: tuple[int, Drawn]) -> tuple[int, date, str]:
    key, drawn = pair
    return key, drawn.event_date, drawn.feedback_id


def _keys(batch: pa.RecordBatch, seed: int) -> np.ndarray:
    """Return a 64-bit number a row, which depends on the message and the seed alone."""
    names = pc.binary_join_element_wise(pc.cast(batch["event_date"], pa.string()), batch["feedback_id"], "\n")
    secret = str(seed).encode()
    digests = b"".join(hashlib.blake2b(name.encode(), key=secret, digest_size=8).digest() for name in names.to_pylist())
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def _strata(batch: pa.RecordBatch) -> list[str]:
    band = pc.if_else(batch["is_confident"], "confident", "unclear")
    strata: list[str] = pc.binary_join_element_wise(batch["emotion"], band, "/").to_pylist()
    return strata


def _drawn(rows: pa.RecordBatch, stratum: str) -> list[Drawn]:
    """Return the rows as members of a stratum whose count is not known yet."""
    plain = ("event_date", "feedback_id", "emotion", "confidence", "model_fingerprint", "text_key")
    return [Drawn(**{name: row[name] for name in plain}, stratum=stratum, stratum_count=0) for row in rows.to_pylist()]
