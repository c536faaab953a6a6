"""Fetch files of the Hugging Face Hub: from the local copy where there is one, else downloaded once."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from emotion_udf.errors import ModelError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_id(name: str) -> bool:
    """Tell whether a name has the form `owner/name`."""
    return _HUB_ID.fullmatch(name) is not None


def snapshot(
    hub_id: str, revision: str | None, patterns: Sequence[str], repo_type: Literal["model", "dataset"] = "model"
) -> Path:
    """Return a folder with files of a repository; files that are named in full are not asked for when they are there.

    Args:
        hub_id: `owner/name`.
        revision: A commit, or a branch or tag; the main branch by default.
        patterns: The files to take, in shell style.
        repo_type: The content of the repository.

    Raises:
        ModelError: There is neither a local copy nor an answer.
    """
    # Imported here because most nights run a local model and need no HTTP client.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    def find(local_files_only: bool) -> Path:
        folder = snapshot_download(
            hub_id,
            revision=revision,
            repo_type=repo_type,
            allow_patterns=list(patterns),
            local_files_only=local_files_only,
        )
        return Path(folder)

    # Of patterns, only the Hub knows which files they mean; its client takes the local copy where it is out of reach.
    if not any("*" in pattern for pattern in patterns):
        try:
            local = find(local_files_only=True)
            if all((local / name).is_file() for name in patterns):
                return local
        except (HFValidationError, LocalEntryNotFoundError):
            pass  # not downloaded yet: ask the Hub below
    try:
        return find(local_files_only=False)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"expected to load {hub_id} at {revision or 'its main branch'} from the Hub, found neither a local copy "
            f"nor an answer ({type(error).__name__}); check the id and the revision, or download the folder and name "
            "its path"
        ) from error
