"""A DuckDB prompt over the tables of a release, each as a view of its name.

python jobs/query_tables.py --warehouse build/demo/warehouse
python jobs/query_tables.py --warehouse build/demo/warehouse -c "SELECT * FROM runs"
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

from emotion_udf.jobs.command_line import JobParser, end_process, exit_code_of, parse
from emotion_udf.jobs.sql_prompt import Prompt
from emotion_udf.storage import open_folder
from emotion_udf.tables.readers import open_for_readers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = JobParser("Ask DuckDB about the tables of the newest release, each as a view of its name.")
    parser.add_argument("--warehouse", required=True, metavar="ROOT", help="the tables, warehouse.root of the settings")
    parser.add_argument("-c", dest="sql", metavar="SQL", help="answer this and end; otherwise standard input is read")
    options = parse(parser, arguments)

    def job() -> None:
        prompt = Prompt(open_for_readers(open_folder(options.warehouse)))
        if options.sql is not None:
            prompt.run(options.sql)
        elif sys.stdin.isatty():
            prompt.talk()
        else:
            prompt.run(sys.stdin.read())

    return exit_code_of(job, options.debug)


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
