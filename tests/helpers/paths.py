"""Where the project, the tests' own data and the large data are."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
LARGE_DATA = ROOT / os.environ.get("EMOTION_UDF_DATA", "../shared/data")  # an absolute path stays as it is
MESSAGES_FILE = ROOT / "tests" / "data" / "messages.jsonl"
SENTENCES_FILE = ROOT / "tests" / "data" / "sentences.txt"
