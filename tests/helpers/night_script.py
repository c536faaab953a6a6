"""A spark-submit that is a script: it writes what a night leaves, and a line about what it was asked."""

import json
import sys
from pathlib import Path
from typing import Any

_PYTHON = sys.executable  # tests put another one in its place
_SUBMIT = """#!{python}
import json, os, sys
from datetime import datetime, timedelta
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

if {fails}:
    sys.exit("why")
options = dict(part[6:].split("=", 1) for part in sys.argv if part.startswith("--set="))
settings = dict(part.split("=", 1) for part in sys.argv if part.startswith("spark."))
if "spark.eventLog.dir" in settings:
    started = '{{"Event":"SparkListenerJobStart"}}\\n' * 7
    Path(settings["spark.eventLog.dir"].removeprefix("file://"), "local-1").write_text(started)
window = [sys.argv[sys.argv.index(name) + 1] for name in ("--date", "--from", "--to") if name in sys.argv]
root = Path(options["warehouse.root"])
texts = pq.read_table(options["input.path"])["text"].to_pylist()
runs = DeltaTable(root / "runs").to_pyarrow_table().num_rows if (root / "runs").exists() else 0
known = runs and options["scores.reuse"] == "history"
now = datetime(2026, 10, 6) + timedelta(hours=runs)
seconds = 3.0 if known else 30.0
row = {{
    "started_at": now, "finished_at": now + timedelta(seconds=seconds), "seconds": [("score", seconds - 1)],
    "distinct_texts": len(set(texts)), "reused_texts": len(set(texts)) if known else 0, "engines": ["torch"],
}}
schema = pa.schema([
    ("started_at", pa.timestamp("us")), ("finished_at", pa.timestamp("us")), ("seconds", pa.map_("string", "double")),
    ("distinct_texts", "int64"), ("reused_texts", "int64"), ("engines", pa.list_(pa.string())),
])
write_deltalake(root / "runs", pa.Table.from_pylist([row], schema), mode="append")
share = {share}
daily = pa.table({{"emotion": ["joy", "fear"], "share": [share, 1 - share], "run_id": [str(runs)] * 2}})
write_deltalake(root / "emotion_daily", daily, mode="overwrite")
asked = {{
    "window": window, "reuse": options["scores.reuse"], "rows": len(texts), "texts": len(set(texts)), "runs": runs,
    "logged": "spark.eventLog.dir" in settings, "folder": os.getcwd(), "conf": os.environ["SPARK_CONF_DIR"],
}}
with open({log!r}, "a") as log:
    print(json.dumps(asked), file=log)
"""


def write_submit(folder: Path, log: Path, fails: bool = False, share: str = "0.25") -> None:
    """Write the script as `folder / "spark-submit"`.

    Args:
        folder: Its folder.
        log: The file for its lines.
        fails: Whether it does nothing and fails.
        share: An expression for the share in `emotion_daily`; it may use `runs`, the runs before.
    """
    submit = folder / "spark-submit"
    script = _SUBMIT.format(python=_PYTHON, fails=fails, share=share, log=str(log))
    submit.write_text(script, encoding="utf-8")
    submit.chmod(0o755)


def read_asked(log: Path) -> list[dict[str, Any]]:
    """Return what each call was asked, in order."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
