"""Each gate has an alert in conf/prometheus/alerts.yml, and Prometheus itself says when it goes off."""

import re
from pathlib import Path
from typing import Any

import yaml

from emotion_udf.emotions import EMOTIONS
from emotion_udf.gates import Canary, Evidence, check_gates, check_model, check_pseudonyms
from emotion_udf.monitoring.metrics import write_metrics
from emotion_udf.settings.nightly import GateSettings
from tests.helpers.paths import ROOT
from tests.helpers.promtool import promtool
from tests.helpers.told import published

ALERTS = ROOT / "conf/prometheus/alerts.yml"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
}
LIMITS = GateSettings(baseline=dict.fromkeys(EMOTIONS, 1 / 6))
GATES = [
    gate.name
    for gate in (*check_pseudonyms(0), *check_model(Canary(0.0, 0.0), LIMITS), *check_gates(Evidence(), LIMITS))
]


def alert_of(gate: str) -> str:
    return "EmotionGate" + "".join(word.capitalize() for word in gate.split("_"))


def test_each_gate_has_an_alert_and_each_alert_a_gate() -> None:
    of_gates = {name for name, rule in RULES.items() if "emotion_gate_passed" in rule["expr"]}
    assert of_gates == {alert_of(gate) for gate in GATES}
    for gate in GATES:
        assert set(re.findall(r'gate="(\w+)"', RULES[alert_of(gate)]["expr"])) == {gate}


def test_alerts_ask_for_metrics_that_there_are(tmp_path: Path) -> None:
    write_metrics(published(), "ours", str(tmp_path / "x.prom"))
    there = set(re.findall(r"^(emotion_\w+)", (tmp_path / "x.prom").read_text(), flags=re.MULTILINE))
    asked = {name for rule in RULES.values() for name in re.findall(r"emotion_\w+", rule["expr"])}
    assert asked <= there


def test_prometheus_takes_the_rules() -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "rules", ALERTS)


def test_a_gate_that_failed_goes_off_with_its_figure_and_no_other(tmp_path: Path) -> None:
    """Every second gate has failed."""
    tests = []
    for failed in range(2):
        series, expected = {}, []
        for number, gate in enumerate(GATES):
            labels = f'night="ours", gate="{gate}"'
            has_failed = number % 2 == failed
            series[f"emotion_gate_value{{{labels}}}"] = f"{number}.5"
            series[f"emotion_gate_passed{{{labels}}}"] = str(int(not has_failed))
            series[f"emotion_gate_forced{{{labels}}}"] = "0"
            expected.append(_alert(alert_of(gate), f"{number}.5", {"gate": gate}, has_failed))
        tests.append(_case(series, expected))
    _require(tests, tmp_path)


def test_the_alerts_of_nights_go_off(tmp_path: Path) -> None:
    hour = 3_600
    stale = {
        "emotion_night_last_run_timestamp_seconds": -27 * hour,
        "emotion_night_last_success_timestamp_seconds": -37 * hour,
        "emotion_night_last_published_date_timestamp_seconds": -61 * hour,
    }
    alerts = ("EmotionNightMissing", "EmotionNightNotPublished", "EmotionDateMissing")
    fresh = {name: value + 2 * hour for name, value in stale.items()}
    tests = []
    for series, is_off in ((stale, True), (fresh, False)):
        found = {f'{name}{{night="ours"}}': str(value) for name, value in series.items()}
        ages = ("1d 3h 2m 0s", "1d 13h 2m 0s", "2d 13h 2m 0s")
        tests.append(_case(found, [_alert(name, age, {}, is_off) for name, age in zip(alerts, ages, strict=True)]))
    outcomes = {"refused": "EmotionNightRefused", "failed": "EmotionNightFailed", "window_held": ""}
    for outcome, alert in outcomes.items():
        found = {f'emotion_night_outcome{{night="ours", outcome="{outcome}"}}': "1"}
        off = [_alert(name, "1", {"outcome": outcome}, name == alert) for name in outcomes.values() if name]
        tests.append(_case(found, off))
    of_gate = {"value": "0.5", "forced": "1"}
    forced = {f'emotion_gate_{name}{{night="ours", gate="x"}}': value for name, value in of_gate.items()}
    tests.append(_case(forced, [_alert("EmotionGateForced", "0.5", {"gate": "x"}, True)]))
    _require(tests, tmp_path)


def _require(tests: list[dict[str, Any]], folder: Path) -> None:
    file = folder / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    assert "SUCCESS" in promtool("test", "rules", file)


def _case(series: dict[str, str], alerts: list[dict[str, Any]]) -> dict[str, Any]:
    values = [{"series": name, "values": f"{value}x5"} for name, value in series.items()]
    return {"interval": "1m", "input_series": values, "alert_rule_test": alerts}


def _alert(name: str, value: str, labels: dict[str, str], is_off: bool) -> dict[str, Any]:
    """What is expected two minutes after the beginning, which is the beginning of time."""
    rule = RULES[name]
    shown = {"{{ $labels.night }}": "ours", "{{ $value }}": value, "{{ $value | humanizeDuration }}": value}
    shown |= {f"{{{{ $labels.{label} }}}}": of for label, of in labels.items()}
    annotations = dict(rule["annotations"])
    for placeholder, text in shown.items():
        annotations = {key: said.replace(placeholder, text) for key, said in annotations.items()}
    expected = {"exp_labels": rule["labels"] | labels | {"night": "ours"}, "exp_annotations": annotations}
    return {"eval_time": "2m", "alertname": name, "exp_alerts": [expected] if is_off else []}
