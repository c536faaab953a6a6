"""A driver that runs one night after another in one session, as standard input asks; see `tests.helpers.driver`.

It is the nightly job itself, in a session that others have started and that stays: starting executors takes longer than
a night.
"""

import json
import sys

from pyspark.sql import SparkSession

from emotion_udf.jobs import score_feedback
from tests.helpers.driver import ENDED


def main() -> None:
    """Run the nights."""
    setattr(score_feedback, "stop_session", lambda _: None)  # noqa: B010 (it is imported there, not exported)
    spark = SparkSession.builder.getOrCreate()
    for line in sys.stdin:
        code = score_feedback.main(json.loads(line))
        sys.stdout.write(f"{ENDED}{code}\n")
        sys.stdout.flush()
    spark.stop()


if __name__ == "__main__":
    main()
