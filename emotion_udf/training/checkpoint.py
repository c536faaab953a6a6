"""Training that was killed goes on from its last whole epoch."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch

from emotion_udf.errors import UsageError
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.data import Corpus

_STATE = "epoch.pt"


@dataclass(frozen=True)
class Checkpoint:
    """A folder beside the model folder to be, which holds the state after the last whole epoch.

    Attributes:
        folder: Made by the first `save`.
        name: A digest of the settings and data that the state belongs to.
    """

    folder: Path
    name: str

    def save(self, state: dict[str, Any]) -> None:
        """Write a state of tensors and plain values; a kill leaves the one before whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{_STATE}.partial"
        with partial.open("wb") as stream:
            torch.save({"name": self.name, "state": state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self.folder / _STATE)

    def load(self) -> dict[str, Any] | None:
        """Return the last state; None when there is none.

        Raises:
            UsageError: It belongs to other settings or other data, or cannot be read.
        """
        file = self.folder / _STATE
        if not file.is_file():
            return None
        try:
            found = torch.load(file, map_location="cpu", weights_only=True)
            name = found["name"]
            state = found["state"]
        except Exception as error:  # torch raises errors of many types
            raise UsageError(f"expected a checkpoint at {file}, found a damaged file; remove {self.folder}") from error
        if name != self.name:
            raise UsageError(
                f"expected a checkpoint of these settings and data in {self.folder}, found one of others; remove the "
                "folder to begin anew, or set output.folder to another name"
            )
        return cast(dict[str, Any], state)

    def remove(self) -> None:
        """Remove the folder; the finished model has taken its place."""
        shutil.rmtree(self.folder, ignore_errors=True)


def checkpoint_name(settings: TrainSettings, files: Sequence[Path], corpus: Corpus) -> str:
    """Digest what a checkpoint belongs to: settings, data, and files such as weights, but not where the result goes."""
    about = hashlib.sha256(settings.model_dump_json(exclude={"output", "confidence"}).encode())
    for source in corpus.sources:
        about.update(source.settings.model_dump_json().encode())
        about.update(json.dumps({split: asdict(labelled) for split, labelled in source.splits.items()}).encode())
    for file in files:
        about.update(file.read_bytes())
    return about.hexdigest()
