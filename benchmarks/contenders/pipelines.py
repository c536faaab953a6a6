"""Transformers' text-classification pipeline, loaded once a worker, and the settings of the usual recipes."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from benchmarks.contenders.contract import Settings
from benchmarks.machine import computes_in_bf16

BATCH_SIZE: Final = 32


def settings_of(best: bool) -> Settings:
    """Return batch size, type and order of texts, as documented or as the best that we found."""
    dtype = "bfloat16" if best and computes_in_bf16() else "float32"
    return {"batch_size": BATCH_SIZE, "dtype": dtype, "sorted_by_length": best}


@cache  # as long as the worker lives: a pipeline that a UDF makes for itself is loaded anew in every task
def load_pipeline(model: str, dtype: str) -> Callable[[list[str]], list[dict[str, float]]]:
    """Load a pipeline on the CPU, which computes in the type that torch calls `dtype`; it gives scores by label."""
    from transformers import pipeline

    options: dict[str, Any] = {"batch_size": BATCH_SIZE, "top_k": None, "truncation": True, "dtype": dtype}
    classifier: Any = pipeline("text-classification", model=model, device="cpu", **options)
    return lambda texts: [{one["label"]: one["score"] for one in scores} for scores in classifier(texts)]
