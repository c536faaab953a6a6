"""The nightly job as others are told of it: each run when it ends, and a start that never became a run."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from emotion_udf.jobs.command_line import known_error
from emotion_udf.monitoring.night import Night
from emotion_udf.monitoring.reporters import Reporters
from emotion_udf.nightly.pipeline import PublishedInterrupt
from emotion_udf.nightly.record import Outcome, RunRecord, RunRecorder, outcome_of
from emotion_udf.settings.load import salvage_section
from emotion_udf.settings.monitoring import MonitoringSettings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.tables.warehouse import Release, Warehouse

log = logging.getLogger(__name__)


class WatchedNight:
    """Tells those whom the settings name, and changes nothing of the night.

    Args:
        file: The settings file. Where the settings are wrong, its section `[monitoring]` still says who is told so.
        overrides: The command line's `--set`.
    """

    def __init__(self, file: Path, overrides: Sequence[str]) -> None:
        self._file = file
        self._overrides = overrides
        self._settings: NightSettings | None = None
        self._reporters: Reporters | None = None
        self._recorder: RunRecorder | None = None
        self._is_failure_told = False

    def follow(self, settings: NightSettings) -> None:
        """Take over the settings, which are right."""
        self._settings = settings
        self._reporters = Reporters(settings.monitoring)

    def begun(self, recorder: RunRecorder) -> None:
        """Tell of a run that begins."""
        self._recorder = recorder
        with _warned():
            if self._reporters and self._reporters.any_at_begin:
                started = recorder.record.context.started_at
                self._reporters.begun(Night(started, settings=self._settings, run=recorder.record.row()))

    @contextmanager
    def run(self, warehouse: Warehouse) -> Iterator[None]:
        """Tell of the run within, when it has ended.

        Raises:
            PublishedInterrupt: The process is to end; the run is published.
        """
        try:
            yield
        finally:
            recorder, self._recorder = self._recorder, None
            if recorder and self._reporters:
                try:
                    self._tell_end(self._reporters, recorder.record, warehouse)
                except KeyboardInterrupt as error:
                    if recorder.record.outcome is Outcome.PUBLISHED:
                        raise PublishedInterrupt from error  # else what ended the run goes on

    @contextmanager
    def job(self) -> Iterator[None]:
        """Tell of what ends the job within, where no run is told to have ended by it."""
        try:
            yield
        except SystemExit:
            raise
        except BaseException as error:  # an interruption and a panic of delta-rs are no Exceptions
            if not self._is_failure_told:
                with _warned():
                    self._tell_no_run(error)
            raise

    def close(self) -> None:
        """Wait until all is told, but not for long."""
        with suppress(BaseException):  # the job has its exit code
            if self._reporters:
                self._reporters.close()

    def _tell_end(self, reporters: Reporters, run: RunRecord, warehouse: Warehouse) -> None:
        with _warned():
            night = Night(
                run.finished_at or datetime.now(UTC),
                run.outcome.value,
                run.exit_code,
                run.error,
                self._settings,
                run.row(),
                _newest_release(warehouse),
            )
            reporters.ended(night)
            self._is_failure_told |= not night.is_published

    def _tell_no_run(self, error: BaseException) -> None:
        if self._reporters is None:
            section = salvage_section(MonitoringSettings, self._file, "monitoring", self._overrides)
            self._reporters = Reporters(section) if section else None
        if self._reporters:
            known = known_error(error)
            code = known.exit_code if known else 1
            said = str(known) if known else type(error).__name__
            outcome = outcome_of(known or error).value
            self._reporters.ended(Night(datetime.now(UTC), outcome, code, said, self._settings))


@contextmanager
def _warned() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        log.warning("nobody is told of the night (%s)", type(error).__name__)


def _newest_release(warehouse: Warehouse) -> Release | None:
    try:
        return warehouse.release()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of delta-rs is no Exception; the night itself has said what is wrong
        return None
