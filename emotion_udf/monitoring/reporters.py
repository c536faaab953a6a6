"""Settings -> those who are told of a night, each in the background."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from emotion_udf.monitoring.background import Background
from emotion_udf.monitoring.night import Night
from emotion_udf.settings.monitoring import MonitoringSettings

log = logging.getLogger(__name__)

Tell = Callable[[Night], None]


@dataclass(frozen=True)
class Reporter:
    """One who is told.

    Attributes:
        tell: Tells of a night; imports what it needs only then, in the background.
        also_begun: Whether a night is told of when it begins, too.
        background: Where that happens: each has a thread, so that none waits for another.
    """

    tell: Tell
    also_begun: bool
    background: Background


class Reporters:
    """Those whom the settings name. Nothing that they do raises, and nobody waits for them but `close`.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: MonitoringSettings) -> None:
        self._settings = settings
        self._reporters = _reporters(settings)

    @property
    def any_at_begin(self) -> bool:
        """Tell whether any of them is told of a night when it begins."""
        return any(reporter.also_begun for reporter in self._reporters)

    def begun(self, night: Night) -> None:
        """Tell of a night that goes on."""
        for reporter in self._reporters:
            if reporter.also_begun:
                self._submit(reporter, night)

    def ended(self, night: Night) -> None:
        """Tell of a night that has ended."""
        for reporter in self._reporters:
            self._submit(reporter, night)

    def close(self) -> None:
        """Wait until all is told, but no longer than `monitoring.wait_s`."""
        until = monotonic() + self._settings.wait_s
        for reporter in self._reporters:
            if not reporter.background.wait(until):
                log.warning("%s: not done within %g s, left undone", reporter.background.what, self._settings.wait_s)

    def _submit(self, reporter: Reporter, night: Night) -> None:
        reporter.background.submit(lambda: reporter.tell(night))


def _reporters(settings: MonitoringSettings) -> list[Reporter]:
    chosen: list[tuple[str, bool, Tell]] = []
    if settings.prometheus_file:
        chosen.append(("metrics for Prometheus", False, lambda night: _write_metrics(night, settings)))
    if settings.json_lines:
        chosen.append(("the line of JSON", False, lambda night: _write_line(night, settings)))
    if settings.openlineage_url:
        chosen.append(("OpenLineage", True, lambda night: _emit_event(night, settings)))
    if settings.webhook:
        chosen.append(("the webhook", False, lambda night: _tell_webhook(night, settings)))
    return [Reporter(tell, also_begun, Background(what)) for what, also_begun, tell in chosen]


def _write_metrics(night: Night, settings: MonitoringSettings) -> None:
    from emotion_udf.monitoring.metrics import write_metrics

    write_metrics(night, settings.name, settings.prometheus_file or "")


def _write_line(night: Night, settings: MonitoringSettings) -> None:
    from emotion_udf.monitoring.json_lines import write_line

    write_line(night, settings.name, settings.json_lines or "")


def _emit_event(night: Night, settings: MonitoringSettings) -> None:
    from emotion_udf.monitoring.lineage import emit_event

    emit_event(night, settings)


def _tell_webhook(night: Night, settings: MonitoringSettings) -> None:
    from emotion_udf.monitoring.webhook import tell_webhook

    tell_webhook(night, settings)
