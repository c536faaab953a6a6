"""Label feedback with one of six emotions on Spark: a pandas UDF, and the nightly job around it.

What needs Spark is loaded when it is first used, so that `emotion_udf.classifier` runs without Spark.
"""

from typing import TYPE_CHECKING, Any

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import (
    DeviceError,
    EmotionUdfError,
    GateError,
    InputError,
    ModelError,
    NotPublishedError,
    StorageError,
    UsageError,
    WindowHeldError,
    WorkerError,
)

if TYPE_CHECKING:
    from emotion_udf.settings.classifier import ClassifierSettings
    from emotion_udf.udf import make_emotion_udf, register_emotion_udf

__version__ = "0.1.0"

__all__ = [
    "EMOTIONS",
    "ClassifierSettings",
    "DeviceError",
    "EmotionUdfError",
    "GateError",
    "InputError",
    "ModelError",
    "NotPublishedError",
    "StorageError",
    "UsageError",
    "WindowHeldError",
    "WorkerError",
    "__version__",
    "make_emotion_udf",
    "register_emotion_udf",
]

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
