"""`evaluation.json`: what was measured on each set, for reports and for dashboards that correct their shares by it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.emotions import EMOTIONS
from emotion_udf.training.by_source import SetMetrics

EVALUATION: Final = "evaluation.json"


def write_evaluation(file: Path, artifact: Artifact, sets: Sequence[SetMetrics], **more: Any) -> None:
    """Write counts, confusion matrices and metrics of every set.

    Args:
        file: The file.
        artifact: The classifier that was measured.
        sets: The measured sets.
        more: What else there is to say, as JSON.
    """
    content = {
        "model_fingerprint": artifact.fingerprint,
        "emotions": list(EMOTIONS),
        "min_confidence": artifact.configuration.min_confidence,
        "temperature": artifact.configuration.temperature,
        "sets": [one.model_dump() for one in sets],
    } | more
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
