"""A text-classification pipeline that a worker loads once.

A pipeline that a UDF makes for itself is loaded anew in every task; this module's cache lives as long as the worker,
so that the timed jobs find it warm.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

Scores = list[dict[str, Any]]
"""What a pipeline with `top_k=None` says of a text: label and score of every label, the best first."""


@cache
def load_pipeline(model: str, batch_size: int, dtype: str) -> Any:
    """Load a text-classification pipeline on the CPU.

    Args:
        model: The model folder.
        batch_size: Texts in one forward pass.
        dtype: What it computes in, in torch's name.
    """
    from transformers import pipeline

    return pipeline(
        "text-classification",
        model=model,
        batch_size=batch_size,
        top_k=None,
        truncation=True,
        device="cpu",
        dtype=dtype,
    )


def score_by_length(classifier: Any, texts: Sequence[str]) -> list[Scores]:
    """Let a pipeline score texts, longest first, and return the scores in the texts' order.

    Batches of similar length hold little padding. Characters stand for tokens: a tokenizer run just for lengths costs
    more than the few tokens of padding that exact lengths would save.
    """
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
    scored = classifier([texts[row] for row in order])
    scores: list[Scores] = [[] for _ in texts]
    for row, of_row in zip(order, scored, strict=True):
        scores[row] = of_row
    return scores


def to_columns(scores: Sequence[Scores], labels: Sequence[str]) -> dict[str, list[Any]]:
    """Turn what the pipeline says into the columns label, score, and one a label."""
    by_label = [{entry["label"]: entry["score"] for entry in of_row} for of_row in scores]
    columns: dict[str, list[Any]] = {
        "label": [of_row[0]["label"] for of_row in scores],
        "score": [of_row[0]["score"] for of_row in scores],
    }
    return columns | {label: [of_row[label] for of_row in by_label] for label in labels}
