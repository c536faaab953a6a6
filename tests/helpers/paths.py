"""Where the project and the real data are."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / os.environ.get("EMOTION_UDF_DATA", "../shared/data")  # an absolute path stays as it is
