"""The archive of `make dist`: the package with a Python of its own."""

import os
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT


def find_archive() -> Path:
    """Return the archive that was built last; CI must have one, elsewhere what needs it is skipped."""
    pattern = f"emotion_udf-*-python{sys.version_info.major}.{sys.version_info.minor}-linux-*.tar.gz"
    found = sorted((ROOT / "dist").glob(pattern))
    if not found:
        missing = f"needs the archive dist/{pattern}, found none; make dist"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found[-1]
