"""The nightly job: label the feedback of some days and publish the tables.

spark-submit jobs/score_feedback.py --config conf/nightly.toml --date 2026-10-05
"""

import sys
from collections.abc import Sequence

from emotion_udf.jobs.command_line import SettingsParser, exit_code_of, parse
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.nightly.report import print_report
from emotion_udf.session import start_session
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.tables.opening import open_warehouse
from emotion_udf.window import make_window


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = SettingsParser(
        "Label feedback with one of six emotions and publish labels and daily aggregates.",
        NightSettings,
        "conf/nightly.toml",
    )
    parser.add_argument("--date", metavar="D", help="the day to label, YYYY-MM-DD")
    parser.add_argument("--from", metavar="D", dest="first", help="the first of several days, with --to")
    parser.add_argument("--to", metavar="D", dest="last", help="the last of several days, with --from")
    parser.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="GATE",
        help="publish although this gate fails; recorded in runs; may be given again",
    )
    options = parse(parser, arguments)

    def job() -> None:
        settings = load_settings(NightSettings, options.config, options.overrides)
        window = make_window(options.date, options.first, options.last, settings.window.timezone)
        spark = start_session(f"emotions of {window}", options.debug)
        try:
            warehouse = open_warehouse(settings.warehouse)
            print_report(run_night(spark, settings, window, warehouse, options.force), warehouse)
        finally:
            spark.stop()

    return exit_code_of(job, options.debug)


if __name__ == "__main__":
    sys.exit(main())
