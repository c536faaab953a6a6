"""Build the page for analysts: one HTML file of the newest release.

python jobs/build_dashboard.py --warehouse build/demo/warehouse --out build/demo/dashboard.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emotion_udf.errors import UsageError
from emotion_udf.jobs.command_line import JobParser, end_process, exit_code_of, parse, whole_number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    options = parse(_parser(), arguments)

    def job() -> None:
        try:
            from emotion_udf.dashboard.build import PageOptions, build_dashboard
        except ModuleNotFoundError as error:
            raise UsageError(
                f"expected the packages of the page, found no {error.name}; pip install 'emotion-udf[dashboard]'"
            ) from error
        shown = PageOptions(
            title=options.title, days=options.days, examples=not options.no_examples, evaluation=options.evaluation
        )
        size = build_dashboard(options.warehouse, options.out, shown)
        print(f"Dashboard, {size / 1e6:.2f} MB: {options.out.resolve()}")

    return exit_code_of(job, options.debug)


def _parser() -> JobParser:
    parser = JobParser("Build the page for analysts: one HTML file, which opens without a server.")
    parser.add_argument("--warehouse", required=True, metavar="ROOT", help="the root of the tables, warehouse.root")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--title", default="Emotions in feedback", help="the page's heading")
    parser.add_argument(
        "--days", type=whole_number(1), default=366, metavar="N", help="show at most the last N days; 366 by default"
    )
    parser.add_argument(
        "--evaluation",
        type=Path,
        metavar="FILE",
        help="the evaluation.json of the model; by default that of its folder, or the bundled one",
    )
    parser.add_argument("--no-examples", action="store_true", help="show no messages, also where the tables have texts")
    return parser


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
