"""Label feedback with one of six emotions on Spark: a pandas UDF, and the nightly job around it.

The public names are loaded when they are first used, so that `emotion_udf.classifier` runs without Spark.
"""

from typing import TYPE_CHECKING, Any

from emotion_udf.emotions import EMOTIONS

if TYPE_CHECKING:
    from emotion_udf.settings.classifier import ClassifierSettings
    from emotion_udf.udf import make_emotion_udf, register_emotion_udf

__all__ = ["EMOTIONS", "ClassifierSettings", "make_emotion_udf", "register_emotion_udf"]

_HOMES = {
    "ClassifierSettings": "emotion_udf.settings.classifier",
    "make_emotion_udf": "emotion_udf.udf",
    "register_emotion_udf": "emotion_udf.udf",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
