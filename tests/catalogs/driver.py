"""A driver that runs nights and answers queries, one after another, as standard input asks; see `tests.helpers.driver`.

All in one session: a metastore that is a file takes one process only. The first word of what is asked is `night`, `sql`
or `die`, which ends this process before the n-th change of a table from then on.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from emotion_udf.jobs import score_feedback
from emotion_udf.tables.catalog_tables import CatalogTables
from tests.catalogs.older_spark import fill_in
from tests.helpers.driver import ENDED

ANSWER = "answer: "


def main() -> None:
    """Do what is asked until there is nothing more."""
    fill_in()
    setattr(score_feedback, "stop_session", lambda _: None)  # noqa: B010 (it is imported there, not exported)
    spark = SparkSession.builder.getOrCreate()
    for line in sys.stdin:
        word, *arguments = json.loads(line)
        code = 0
        if word == "night":
            code = score_feedback.main(arguments)
        elif word == "sql":
            print(f"{ANSWER}{json.dumps(answers(spark.sql(arguments[0])))}")
        else:
            die_before(int(arguments[0]))
        sys.stdout.write(f"{ENDED}{code}\n")
        sys.stdout.flush()
    spark.stop()


def answers(rows: DataFrame) -> list[list[Any]]:
    """Return rows of numbers and strings; what else there is, as Spark prints it."""
    plain = rows.select([rows[f"`{name}`"].cast("string") for name in rows.columns])
    return [list(row) for row in plain.collect()]


def die_before(change: int) -> None:
    """End this process, as a machine that fails does, before it changes a table for the n-th time."""
    calls = iter(range(1_000))

    def mortal(changing: Callable[..., None]) -> Callable[..., None]:
        def changed(*given: Any) -> None:
            if next(calls) == change:
                os.kill(os.getpid(), signal.SIGKILL)
            changing(*given)

        return changed

    setattr(CatalogTables, "replace", mortal(CatalogTables.replace))  # noqa: B010
    setattr(CatalogTables, "append", mortal(CatalogTables.append))  # noqa: B010


if __name__ == "__main__":
    main()
