"""Write the demo's feedback as the job reads it: Parquet in Hive-style folders, one a source.

python demo/make_input.py build/demo/feedback
"""

import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.json as pj

SAMPLE = Path(__file__).with_name("feedback.jsonl")
COLUMNS = pa.schema(
    [
        ("feedback_id", pa.string()),
        ("author", pa.string()),
        ("text", pa.string()),
        ("created_at", pa.timestamp("us", tz="UTC")),
        ("source", pa.string()),
        ("product", pa.string()),
    ]
)


def main(folder: Path) -> None:
    """Write the sample below `folder`, which is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    feedback = pj.read_json(SAMPLE, parse_options=pj.ParseOptions(explicit_schema=COLUMNS))
    partitioning = ds.partitioning(pa.schema([COLUMNS.field("source")]), flavor="hive")
    ds.write_dataset(feedback, folder, format="parquet", partitioning=partitioning)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
