"""A confusion matrix and a reliability diagram, as PNG files."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from emotion_udf.emotions import EMOTIONS
from emotion_udf.training.calibrate import reliability
from emotion_udf.training.evaluate import Predictions

_SIZE = 360
_PIXELS_PER_POINT = 2


def draw_confusion(confusion: list[list[int]], title: str, file: Path) -> None:
    """Draw how often sentences of each emotion (rows) were given each label (columns).

    Args:
        confusion: (6, 6) counts of sentences.
        title: What was measured.
        file: The PNG to write.
    """
    cells = pd.DataFrame(
        [
            {"emotion": emotion, "label": label, "sentences": count, "share": count / max(1, sum(row))}
            for emotion, row in zip(EMOTIONS, confusion, strict=True)
            for label, count in zip(EMOTIONS, row, strict=True)
        ]
    )
    base = alt.Chart(cells).encode(
        x=alt.X("label:N", sort=EMOTIONS, title="label given", axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("emotion:N", sort=EMOTIONS, title="right label"),
    )
    shade = alt.Color("share:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), title="share of row")
    dark = alt.condition("datum.share > 0.5", alt.value("white"), alt.value("black"))
    text = base.mark_text(fontSize=13).encode(text="sentences:Q", color=dark)
    chart = (base.mark_rect().encode(color=shade) + text).properties(width=_SIZE, height=_SIZE, title=title)
    chart.save(file, scale_factor=_PIXELS_PER_POINT)


def draw_reliability(predictions: Predictions, title: str, file: Path) -> None:
    """Draw accuracy over confidence; a calibrated classifier lies on the diagonal.

    Args:
        predictions: What was measured.
        title: What was measured, in words.
        file: The PNG to write.
    """
    bins = pd.DataFrame(
        reliability(predictions.probabilities, predictions.labels), columns=["confidence", "accuracy", "sentences"]
    )
    share = alt.Scale(domain=[0, 1], nice=False)
    line = alt.Chart(pd.DataFrame({"x": np.array([0.0, 1.0])})).mark_line(strokeDash=[4, 4], color="grey")
    diagonal = line.encode(x=alt.X("x:Q", scale=share, title="mean confidence"), y=alt.Y("x:Q", scale=share))
    dots = alt.Chart(bins).mark_circle(opacity=0.9).encode(
        x=alt.X("confidence:Q", scale=share),
        y=alt.Y("accuracy:Q", scale=share, title="accuracy"),
        size=alt.Size("sentences:Q", scale=alt.Scale(type="sqrt", range=[20, 600])),
    )  # fmt: skip
    chart = (diagonal + dots).properties(width=_SIZE, height=_SIZE, title=title)
    chart.save(file, scale_factor=_PIXELS_PER_POINT)
