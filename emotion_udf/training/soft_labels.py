"""Soft labels: teachers' probabilities of the six emotions and neutral, to be learnt along with the labels."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.device import Device
from emotion_udf.settings.labelled import CLASSES
from emotion_udf.training.data import bare

SOFT_LABELS: Final = "soft_labels.parquet"
"""The file that a teacher leaves: a text's digest and seven probabilities a row."""


def in_fold(text: str, fold: int, folds: int) -> bool:
    """Tell whether a text belongs to a fold; copies with other capitals or punctuation belong to the same."""
    return crc32(bare(text).encode()) % folds == fold


def write_soft_labels(file: Path, texts: Sequence[str], probabilities: NDArray[np.floating]) -> None:
    """Write the probabilities (N, 7) of N texts."""
    columns = {name: probabilities[:, place] for place, name in enumerate(CLASSES)}
    pq.write_table(pa.table({"digest": [_digest(text) for text in texts]} | columns), file, compression="zstd")


def teacher_probabilities(folders: Sequence[str], texts: Sequence[str], device: Device = "auto") -> Tensor | None:
    """Return teachers' mean probabilities (N, 7) of the six emotions and neutral; None without teachers.

    A sentence that no teacher says anything of has NaN.

    Args:
        folders: What teachers left, or classifiers, which label every text and never say neutral.
        texts: N texts.
        device: The device to compute on.

    Raises:
        ModelError: A folder holds neither.
    """
    if not folders:
        return None
    said = np.stack([_said_by(Path(folder), texts, device) for folder in folders])  # (teachers, N, 7)
    spoke = np.isfinite(said)
    with np.errstate(invalid="ignore"):
        mean = np.where(spoke, said, 0).sum(axis=0) / spoke.sum(axis=0)
    return torch.from_numpy(mean.astype(np.float32))


def _said_by(folder: Path, texts: Sequence[str], device: Device) -> NDArray[np.float32]:
    if not (folder / SOFT_LABELS).is_file():
        classifier = load_classifier(open_artifact(ArtifactSource(str(folder))), device)
        return np.pad(classifier.score(list(texts)).probabilities, ((0, 0), (0, 1)))
    table = pq.read_table(folder / SOFT_LABELS)
    # The last row stands for texts that this teacher was trained on.
    probabilities = np.vstack([*[np.column_stack([table[name] for name in CLASSES])], np.full(len(CLASSES), np.nan)])
    rows = {digest: row for row, digest in enumerate(table["digest"].to_pylist())}
    return probabilities[[rows.get(_digest(text), -1) for text in texts]].astype(np.float32)


def _digest(text: str) -> int:
    """Return a number that stands for a text, which itself need not be stored."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big", signed=True)
