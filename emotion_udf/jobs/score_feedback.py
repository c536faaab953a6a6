"""The nightly job: label the feedback of some days and publish the tables.

spark-submit jobs/score_feedback.py --config conf/nightly.toml --date 2026-10-05
"""

import logging
from collections.abc import Sequence
from typing import NoReturn

from emotion_udf.dashboard.after_night import build_after_night
from emotion_udf.errors import UsageError
from emotion_udf.gates import check_forced
from emotion_udf.jobs.command_line import SettingsParser, add_days, days_of, end_process, exit_code_of, parse
from emotion_udf.jobs.watched_night import WatchedNight
from emotion_udf.nightly.backfill import backfill, published_days
from emotion_udf.nightly.pipeline import PublishedInterrupt, run_night
from emotion_udf.nightly.record import RunRecord
from emotion_udf.nightly.report import print_report
from emotion_udf.postgres.after_night import copy_after_night
from emotion_udf.session import start_session, stop_session
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.tables.opening import open_warehouse
from emotion_udf.tables.warehouse import Warehouse
from emotion_udf.window import Window

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = SettingsParser(
        "Label feedback with one of six emotions and publish labels and daily aggregates.",
        NightSettings,
        "conf/nightly.toml",
    )
    add_days(parser, "label")
    parser.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="GATE",
        help="publish although this gate fails; recorded in runs; may be given again",
    )
    parser.add_argument("--each-day", action="store_true", help="run each day of the range on its own, one by one")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="with --each-day: leave out the days that these settings and this model have published already",
    )
    options = parse(parser, arguments)
    watched = WatchedNight(options.config, options.overrides)

    @watched.job()
    def job() -> None:
        settings = load_settings(NightSettings, options.config, options.overrides)
        watched.follow(settings)
        window = days_of(options, settings.window.timezone)
        if options.resume and not options.each_day:
            raise UsageError("expected --resume together with --each-day, found it alone")
        check_forced(options.force, settings.gate)  # a wrong name need not wait for Spark
        spark = start_session(f"emotions of {window}", options.debug)
        try:
            warehouse = open_warehouse(settings.warehouse)

            def run(days: Window) -> None:
                with watched.run(warehouse):
                    _report(run_night(spark, settings, days, warehouse, options.force, watched.begun), warehouse)

            if options.each_day:
                backfill(window, run, published_days(warehouse, settings) if options.resume else ())
            else:
                try:
                    run(window)
                except PublishedInterrupt:  # what is published decides the exit code
                    return
        finally:
            stop_session(spark)
        if page := build_after_night(settings):
            print(f"Dashboard: {page}")
        if copied := copy_after_night(settings):
            print(copied)

    code = exit_code_of(job, options.debug)
    watched.close()
    return code


def _report(run: RunRecord, warehouse: Warehouse) -> None:
    """Print the report of a published night, which no failure here can change."""
    try:
        print_report(run, warehouse)
    except Exception as error:
        log.warning("run_id=%s it is published, its report is not printed (%s)", run.run_id, type(error).__name__)


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
