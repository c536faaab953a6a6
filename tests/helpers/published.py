"""A night that several tests begin with: it runs once, and each test goes on from a copy of what it left."""

import shutil
from pathlib import Path
from typing import NamedTuple

from emotion_udf.nightly.record import RunRecord


class Published(NamedTuple):
    """A folder that holds the input and the warehouse of a night, and the night's record."""

    folder: Path
    run: RunRecord

    def copy_to(self, folder: Path) -> "Published":
        """Copy input and warehouse; what a table lists is named relative to it."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return self._replace(folder=folder)
