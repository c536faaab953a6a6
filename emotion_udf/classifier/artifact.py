"""Find a model folder, check it, and name it by the digest of its files."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotion_udf.classifier.configuration import ModelConfig, read_configuration
from emotion_udf.classifier.hub import is_hub_id, snapshot
from emotion_udf.errors import ModelError

BUNDLED: Final = "bundled"
"""The name by which settings ask for the classifier that comes with this package."""

BUNDLED_FOLDER: Final = Path(__file__).parent.parent / "models" / "emotion-minilm"

BUNDLED_WEIGHTS_SHA256: Final = "0ec0c75d3c6455e4705fb19d039595fd97dd56cbde9092f68a63adecf2424b86"
"""The digest of the bundled weights, by which a damaged or exchanged file shows."""

WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "config.json"
_FILES = (CONFIG, TOKENIZER, WEIGHTS)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ArtifactSource:
    """The place of a classifier, as settings name it; small and picklable, because workers are sent it.

    Attributes:
        model: `bundled`, a local folder, or a Hub id.
        revision: The 40-digit commit of a Hub id.
        labels: The model's labels in its own order, for a model whose configuration only says `LABEL_0 … LABEL_5`.
        expect: The fingerprint that the model must have; None for any.
    """

    model: str = BUNDLED
    revision: str | None = None
    labels: tuple[str, ...] | None = None
    expect: str | None = None


@dataclass(frozen=True)
class Artifact:
    """A checked model folder.

    Attributes:
        folder: Holds `config.json`, `tokenizer.json` and `model.safetensors`.
        configuration: Its `config.json`.
        weights_sha256: Digest of `model.safetensors`, 64 hex digits.
        fingerprint: Digest of everything that can change a score (weights, configuration, tokenizer), 32 hex digits.
    """

    folder: Path
    configuration: ModelConfig
    weights_sha256: str
    fingerprint: str

    @property
    def max_tokens(self) -> int:
        """The longest input that the model reads, in tokens, special tokens included."""
        return self.configuration.max_position_embeddings


def open_artifact(source: ArtifactSource) -> Artifact:
    """Find the folder that `source` names, check it, and compute its digests.

    Raises:
        ModelError: There is no such model, it has no safetensors, is no DistilBERT classifier, or its labels are
            not the six emotions in their order; or it is not the one that is expected.
    """
    folder = _find_folder(source)
    for name in _FILES:
        if not (folder / name).is_file():
            raise ModelError(_missing_file(folder, name))
    configuration = read_configuration(folder / CONFIG, source.labels)
    digests = {name: _sha256(folder / name) for name in _FILES}
    everything = hashlib.sha256(json.dumps(digests, sort_keys=True).encode())
    artifact = Artifact(folder, configuration, digests[WEIGHTS], everything.hexdigest()[:32])
    _require_expected(artifact, source)
    return artifact


def _require_expected(artifact: Artifact, source: ArtifactSource) -> None:
    """Compare the digests with the pinned ones: that of the settings, and that of the bundled weights."""
    if source.expect is not None and artifact.fingerprint != source.expect:
        raise ModelError(
            f"expected the model {source.expect} (classifier.expect) in {artifact.folder}, found "
            f"{artifact.fingerprint}; take the folder from where it was published, or pin the new one"
        )
    if source.model == BUNDLED and artifact.weights_sha256 != BUNDLED_WEIGHTS_SHA256:
        raise ModelError(
            f"expected weights of SHA-256 {BUNDLED_WEIGHTS_SHA256} in {artifact.folder}, found "
            f"{artifact.weights_sha256}; the file is damaged or exchanged: install the package again"
        )


def _find_folder(source: ArtifactSource) -> Path:
    if source.model == BUNDLED:
        return BUNDLED_FOLDER
    folder = Path(source.model)
    if folder.is_dir():
        return folder
    if source.revision is None or not is_hub_id(source.model):
        raise ModelError(
            f"expected a model folder at {source.model}, found none; give {BUNDLED!r}, an existing folder, "
            "or a Hub id (owner/name) with classifier.revision set to the 40-digit commit to take it at"
        )
    if not _COMMIT.fullmatch(source.revision):
        raise ModelError(
            f"expected classifier.revision to be a 40-digit commit, found {source.revision!r}; a branch or tag can "
            "move, and every night must run the same weights"
        )
    return snapshot(source.model, source.revision, _FILES)


def _missing_file(folder: Path, name: str) -> str:
    if name == WEIGHTS and any(folder.glob("*.bin")):
        found = "only .bin weights, which can run code when loaded; convert them with save_pretrained(…)"
    else:
        found = "no such file; name the folder of a complete model"
    return f"expected {name} in {folder}, found {found}"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
