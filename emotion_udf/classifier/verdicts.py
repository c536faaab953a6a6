"""Remember on a machine that a fast engine keeps fp32's labels, so that later workers there need not compare again.

`parity` measures what does not change from worker to worker: the same code, libraries, processor and weights compute
the same numbers. So an engine that held once is known by these facts, and any other fact means another comparison. An
engine that did not hold is compared again each time.
"""

import hashlib
import json
import logging
import os
import platform
import stat
from dataclasses import dataclass
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import torch

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.classifier.precision import name_of

log = logging.getLogger(__name__)

_PACKAGE: Final = Path(__file__).parents[1]
_PROCESSORS: Final = Path("/proc/cpuinfo")
_OF_A_PROCESSOR: Final = {
    "vendor_id", "cpu family", "model", "model name", "stepping", "microcode", "flags",  # x86
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features",  # Arm
}  # fmt: skip
_CHOOSES_KERNELS: Final = ("ATEN_", "DNNL_", "MKL_", "ONEDNN_", "TORCH_")


@dataclass(frozen=True)
class Verdicts:
    """The engines that kept the labels on this machine, a file each.

    Only a folder of this process's own user that nobody else can write to is believed, and of a file only that it holds
    the very facts that are asked about. What cannot be read is not known, and what cannot be written is not remembered:
    either way an engine is compared once more.

    Attributes:
        folder: Holds the files; made when the first is kept.
    """

    folder: Path

    @classmethod
    def of_user(cls) -> "Verdicts":
        """Return those of this process's user: `emotion-udf-` and the user's number, in `$TMPDIR` or else `/tmp`."""
        return cls(Path(os.environ.get("TMPDIR", "/tmp")) / f"emotion-udf-{os.geteuid()}")  # noqa: S108

    def know(self, artifact: Artifact, precision: torch.dtype) -> bool:
        """Tell whether a model has kept its labels here, in this precision and under the same circumstances."""
        try:
            facts = facts_of(artifact, precision)
            return self._is_private() and self._file(facts).read_bytes() == facts
        except OSError:
            return False

    def keep(self, artifact: Artifact, precision: torch.dtype) -> None:
        """Remember that a model has kept its labels in this precision."""
        try:
            facts = facts_of(artifact, precision)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if not self._is_private():
                log.warning("%s is not used: expected a folder that only this user can write to", self.folder)
                return
            with TemporaryDirectory(dir=self.folder) as unfinished:
                whole = Path(unfinished, "facts")
                whole.write_bytes(facts)
                whole.replace(self._file(facts))  # at once, for whoever reads meanwhile
        except OSError as error:
            log.debug("no verdict is kept in %s: %s", self.folder, error)

    def _is_private(self) -> bool:
        found = self.folder.lstat()  # of a link itself, not of what another user may have let it lead to
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022

    def _file(self, facts: bytes) -> Path:
        return self.folder / f"{hashlib.sha256(facts).hexdigest()[:32]}.json"


def facts_of(artifact: Artifact, precision: torch.dtype) -> bytes:
    """Return as JSON all that decides what an engine computes on this machine's processor.

    Raises:
        OSError: The system does not tell what processor it has, or the package is not a folder.
    """
    facts = {
        "model": artifact.fingerprint,
        "precision": name_of(precision),
        "code": _digest_of_code(),
        "numpy": np.__version__,
        "llvmlite": import_module("llvmlite").__version__ if precision is torch.int16 else None,
        "torch": [torch.__version__, torch.__config__.show()],  # with its libraries and the instructions that it uses
        "threads": torch.get_num_threads(),
        "environment": {name: value for name, value in os.environ.items() if name.startswith(_CHOOSES_KERNELS)},
        "processor": _processor(),
    }
    return json.dumps(facts, indent=1, sort_keys=True).encode()


def _digest_of_code() -> str:
    """Return the digest of what computes and of what is compared: a version says little where people work on both."""
    files = sorted({Path(__file__), *(_PACKAGE / "classifier").rglob("*.py"), *(_PACKAGE / "probes").glob("*.txt")})
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _processor() -> dict[str, str]:
    """Return what the first processor is and can do."""
    with _PROCESSORS.open(encoding="utf-8", errors="replace") as lines:
        pairs = [line.partition(":") for line in takewhile(str.strip, lines)]
    told = {name.strip(): value.strip() for name, _, value in pairs}
    return {"machine": platform.machine()} | {name: told[name] for name in told if name in _OF_A_PROCESSOR}
