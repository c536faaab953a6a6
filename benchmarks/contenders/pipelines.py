"""Transformers' text-classification pipeline, loaded once a worker, as several peers use it."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from benchmarks.contenders.contract import Settings
from benchmarks.machine import computes_in_bf16

BATCH_SIZE: Final = 32

Scores = list[dict[str, Any]]
"""What a pipeline with `top_k=None` says of a text: label and score of every label, the best first."""


def settings_of(best: bool) -> Settings:
    """Return batch size, type and order of texts, as documented or as the best that we found."""
    dtype = "bfloat16" if best and computes_in_bf16() else "float32"
    return {"batch_size": BATCH_SIZE, "dtype": dtype, "sorted_by_length": best}


@cache  # as long as the worker lives: a pipeline that a UDF makes for itself is loaded anew in every task
def load_pipeline(model: str, dtype: str) -> Any:
    """Load a pipeline on the CPU, which computes in the type that torch calls `dtype`."""
    from transformers import pipeline

    options: dict[str, Any] = {"batch_size": BATCH_SIZE, "top_k": None, "truncation": True, "dtype": dtype}
    return pipeline("text-classification", model=model, device="cpu", **options)


def score(classifier: Any, texts: Sequence[str], by_length: bool) -> list[Scores]:
    """Let a pipeline score texts, longest first where asked for, and return the scores in the texts' order.

    Characters stand for tokens: a tokenizer run just for lengths costs more than the few tokens of padding that exact
    lengths would save.
    """
    if not by_length:
        return list(classifier(list(texts)))
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
    scores: list[Scores] = [[] for _ in texts]
    for row, of_row in zip(order, classifier([texts[row] for row in order]), strict=True):
        scores[row] = of_row
    return scores


def to_columns(scores: Sequence[Scores], labels: Sequence[str]) -> dict[str, list[Any]]:
    """Return what the pipeline says as the columns label, score, and one a label."""
    by_label = [{entry["label"]: entry["score"] for entry in of_row} for of_row in scores]
    best = {
        "label": [of_row[0]["label"] for of_row in scores],
        "score": [of_row[0]["score"] for of_row in scores],
    }
    return best | {label: [of_row[label] for of_row in by_label] for label in labels}
