"""The key of pseudonyms: from the environment or from a file, so that it stands in no settings, no log and no table."""

import os
from pathlib import Path
from typing import Final

from emotion_udf.errors import UsageError
from emotion_udf.settings.nightly import InputSettings

KEY_VARIABLE: Final = "EMOTION_UDF_PSEUDONYM_KEY"
"""The environment variable that holds the key, where the settings name no file of it."""

_LEAST_BYTES: Final = 32


def read_key(settings: InputSettings) -> bytes:
    """Return the key, as it stands in the file or in the environment variable, without a line's end.

    Raises:
        UsageError: There is none, or it is shorter than 32 bytes.
    """
    file = settings.pseudonym_key_file
    place = f"the file {file} (input.pseudonym_key_file)" if file else f"the environment variable {KEY_VARIABLE}"
    try:
        key = Path(file).read_bytes() if file else os.fsencode(os.environ.get(KEY_VARIABLE, ""))
    except OSError as error:
        raise UsageError(
            f"expected the key of the pseudonyms in {place}, found none that can be read ({type(error).__name__})"
        ) from error
    key = key.rstrip(b"\r\n")
    if len(key) < _LEAST_BYTES:
        raise UsageError(
            f"expected a key of {_LEAST_BYTES} bytes or more in {place}, found {len(key)} bytes; make one by "
            "`openssl rand -hex 32`, and keep it: another key gives other pseudonyms"
        )
    return key
