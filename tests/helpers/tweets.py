"""The tests' own tweets, as a feed and as settings of nights over it."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from tests.helpers.paths import MESSAGES_FILE

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("author", pa.string()),
        ("text", pa.string()),
        ("created_at", pa.timestamp("us", tz="UTC")),
    ]
)
DAYS = (date(2026, 10, 5), date(2026, 10, 6))
"""The two days that have many tweets; the day before and the day after have ten each."""


def own_tweets() -> pa.Table:
    """Read the 200 tweets of `tests/data`, which have the columns of the large data's."""
    return pj.read_json(MESSAGES_FILE, parse_options=pj.ParseOptions(explicit_schema=SCHEMA))


def write_tweets(file: Path) -> Path:
    """Write the tests' own tweets as a Parquet file."""
    pq.write_table(own_tweets(), file)
    return file


def tweets_settings(tweets: Path, warehouse: Path) -> list[str]:
    """Return the nightly job's arguments for a night over tweets."""
    return [
        "--config=conf/nightly.toml",
        f"--set=input.path={tweets}",
        f"--set=warehouse.root={warehouse}",
    ]
