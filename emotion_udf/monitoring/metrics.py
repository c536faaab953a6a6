"""The metrics of a night as Prometheus reads them: a text file that is replaced whole.

A text file has no history: what a failed night does not know, such as the last success, is carried on from the file
that it replaces.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from emotion_udf.monitoring.night import Night

log = logging.getLogger(__name__)

OUTCOMES: Final = ("published", "refused", "window_held", "bad_input", "bad_settings", "failed")

LAST_SUCCESS: Final = "emotion_night_last_success_timestamp_seconds"
LAST_DATE: Final = "emotion_night_last_published_date_timestamp_seconds"
RELEASE: Final = "emotion_release_number"
RELEASED: Final = "emotion_release_timestamp_seconds"
_CARRIED: Final = {
    LAST_SUCCESS: "When a night was last published.",
    LAST_DATE: "The newest date that a night has published, its midnight in UTC.",
    RELEASE: "The number of the newest release.",
    RELEASED: "When the newest release was made.",
}


def write_metrics(night: Night, name: str, file: str) -> None:
    """Replace the file in one step.

    Args:
        night: A night that has ended.
        name: What it is called, the label `night`.
        file: The text file.

    Raises:
        OSError: It cannot be written; the file that is there stays.
    """
    metrics = _Metrics(name)
    _tell_end(metrics, night)
    _tell_run(metrics, night)
    _tell_gates(metrics, night)
    known = _carried_from(Path(file), name)
    for metric, value in (known | _new_values(night, known)).items():
        metrics.set(metric, _CARRIED[metric], value)
    write_to_textfile(file, metrics.registry)


class _Metrics:
    """Gauges that are made when they are first set."""

    def __init__(self, name: str) -> None:
        self.registry = CollectorRegistry()
        self._name = name
        self._gauges: dict[str, Gauge] = {}

    def set(self, metric: str, meaning: str, value: float | None, **labels: str) -> None:
        """Set a gauge; what is not known has no line."""
        if value is None:
            return
        if metric not in self._gauges:
            self._gauges[metric] = Gauge(metric, meaning, ["night", *labels], registry=self.registry)
        self._gauges[metric].labels(self._name, *labels.values()).set(value)


def _tell_end(metrics: _Metrics, night: Night) -> None:
    metrics.set("emotion_night_last_run_timestamp_seconds", "When a night last ended.", night.at.timestamp())
    metrics.set("emotion_night_exit_code", "The exit code of the last night.", night.exit_code)
    for outcome in OUTCOMES:
        is_so = float(night.outcome == outcome)
        metrics.set("emotion_night_outcome", "How the last night ended, as in runs.", is_so, outcome=outcome)


def _tell_run(metrics: _Metrics, night: Night) -> None:
    run = night.run
    if run is None:
        return
    seconds = (run["finished_at"] - run["started_at"]).total_seconds()
    metrics.set("emotion_night_duration_seconds", "From the start of the last night to its end.", seconds)
    for step, of_step in run["seconds"].items():
        metrics.set("emotion_night_step_duration_seconds", "Of each step of the last night.", of_step, step=step)
    for kind in ("read", "labelled", "quarantined"):
        metrics.set("emotion_night_rows", "Messages of the last night.", run[f"rows_{kind}"], kind=kind)
    texts = {"scored": run["distinct_texts"] - run["reused_texts"], "reused": run["reused_texts"]}
    for kind, count in texts.items():
        metrics.set("emotion_night_texts", "Different texts of the last night.", count, kind=kind)
    files = {"read": len(run["input_files"]), "refused": run["refused_files"]}
    for kind, count in files.items():
        metrics.set("emotion_night_files", "Files of the last night's input.", count, kind=kind)
    metrics.set("emotion_night_input_bytes", "Size of the last night's input files.", run["input_bytes"])
    _tell_work(metrics, run)


def _tell_work(metrics: _Metrics, run: Mapping[str, Any]) -> None:
    metrics.set("emotion_night_tokens", "Tokens that the last night scored.", run["tokens"])
    speed = "Tokens that a Python worker of the last night scored a second, loads not counted."
    metrics.set("emotion_night_tokens_per_second", speed, run["tokens_per_s"])
    loads = "Times that the last night's workers loaded the model."
    metrics.set("emotion_night_model_loads", loads, run["model_loads"])
    load_s = "Of these loads together."
    metrics.set("emotion_night_model_load_duration_seconds", load_s, run["model_load_seconds"])
    if run["hosts"] is not None:
        again = sum(host["tried_again"] for host in run["hosts"])
        metrics.set("emotion_night_tasks_tried_again", "Tasks that were not scored at the first try.", again)


def _tell_gates(metrics: _Metrics, night: Night) -> None:
    for gate in night.gates:
        name = gate["name"]
        metrics.set("emotion_gate_value", "The figure of a gate, where there was one.", gate["value"], gate=name)
        metrics.set("emotion_gate_limit", "The limit of a gate.", gate["limit"], gate=name)
        metrics.set("emotion_gate_passed", "Whether a gate let the night pass.", float(gate["passed"]), gate=name)
        metrics.set("emotion_gate_forced", "Whether a gate was overruled.", float(gate["forced"]), gate=name)


def _new_values(night: Night, known: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    if night.is_published and night.run is not None:
        found = {LAST_SUCCESS: night.at.timestamp(), LAST_DATE: _midnight(night.run["to_date"])}
        found[LAST_DATE] = max(found[LAST_DATE], known.get(LAST_DATE, 0.0))  # a backfill makes no date newer
    if night.release is not None:
        found |= {RELEASE: night.release.number, RELEASED: night.release.released_at.timestamp()}
    return found


def _carried_from(file: Path, name: str) -> dict[str, float]:
    """Return what the file that is replaced knows; nothing where there is none that can be read."""
    try:
        families = list(text_string_to_metric_families(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("the last success is not known: %s cannot be read (%s)", file, type(error).__name__)
        return {}
    samples = (sample for family in families if family.name in _CARRIED for sample in family.samples)
    return {sample.name: sample.value for sample in samples if sample.labels.get("night") == name}


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
