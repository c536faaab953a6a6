from dataclasses import replace
from typing import Any

import pytest

from emotion_udf.monitoring import attempts
from emotion_udf.monitoring.attempts import UndeliveredError
from emotion_udf.monitoring.lineage import KEY_VARIABLE, dataset_name, emit_event
from emotion_udf.monitoring.night import Night
from emotion_udf.settings.monitoring import MonitoringSettings
from emotion_udf.settings.nightly import WarehouseSettings
from tests.helpers.receiver import MUTE, receiver
from tests.helpers.told import SETTINGS, going_on, never_begun, published, refused


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_FIRST_PAUSE_S", 0.0)


def monitoring(url: str, **other: Any) -> MonitoringSettings:
    return MonitoringSettings(name="ours", openlineage_url=url, **{"request_timeout_s": 20.0} | other)


def emitted(*nights: Night) -> list[Any]:
    with receiver() as taken:
        for night in nights:
            emit_event(night, monitoring(taken.url))
    assert {path for path, _, _ in taken.posted} == {"/api/v1/lineage"}
    return taken.bodies


def test_a_run_is_one_run_from_start_to_end() -> None:
    events = emitted(going_on(), published())
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    assert [event["eventTime"] for event in events] == ["2026-10-06T02:00:00+00:00", "2026-10-06T02:09:00+00:00"]
    assert len({event["run"]["runId"] for event in events}) == 1
    assert {(event["job"]["namespace"], event["job"]["name"]) for event in events} == {("emotion-udf", "ours")}
    assert all("emotion-udf" in event["producer"] for event in events)
    (other,) = emitted(published(run_id="x"))
    assert other["run"]["runId"] != events[0]["run"]["runId"]


def test_tables_of_a_catalog_have_its_names() -> None:
    catalog = WarehouseSettings(root="/own", format="catalog", namespace="lake.emotions")
    (event,) = emitted(replace(published(), settings=SETTINGS.model_copy(update={"warehouse": catalog})))
    labels = event["outputs"][0]
    assert (labels["namespace"], labels["name"]) == ("emotion-udf", "lake.emotions.emotion_labels")
    assert "storage" not in labels["facets"]


def test_a_published_night_names_its_input_and_its_tables() -> None:
    (event,) = emitted(published())
    (read,) = event["inputs"]
    assert (read["namespace"], read["name"]) == ("file", "/lake/feedback")
    fields = {field["name"]: field["description"] for field in read["facets"]["schema"]["fields"]}
    assert fields == {"id": "id", "text": "text", "created_at": "created_at", "channel": "dimension source"}
    statistics = read["inputFacets"]["inputStatistics"]
    assert (statistics["rowCount"], statistics["size"], statistics["fileCount"]) == (1_000, 4_096, 1)

    written = {output["name"].rpartition("/")[2]: output for output in event["outputs"]}
    assert {(output["namespace"], name) for name, output in written.items()} == {
        ("file", table) for table in ("emotion_labels", "emotion_daily", "quarantine", "emotion_terms")
    }
    labels = written["emotion_labels"]
    assert labels["name"] == "/warehouse/emotions/emotion_labels"
    assert labels["facets"]["version"]["datasetVersion"] == "41"
    assert labels["facets"]["storage"]["storageLayer"] == "delta"
    types = {field["name"]: field["type"] for field in labels["facets"]["schema"]["fields"]}
    assert (types["source"], types["confidence"], types["event_date"]) == ("string", "float", "date")
    assert "text" not in types
    assert labels["outputFacets"]["outputStatistics"]["rowCount"] == 988
    assert written["quarantine"]["outputFacets"]["outputStatistics"]["rowCount"] == 13

    run = event["run"]["facets"]
    assert run["nominalTime"]["nominalStartTime"] == "2026-10-05T00:00:00+00:00"
    assert run["nominalTime"]["nominalEndTime"] == "2026-10-06T00:00:00+00:00"
    assert run["processing_engine"]["name"] == "spark"
    assert "errorMessage" not in run


def test_gates_are_assertions_of_the_input() -> None:
    (event,) = emitted(refused())
    assert event["eventType"] == "FAIL"
    assert event["run"]["facets"]["errorMessage"]["message"].startswith("expected every gate to pass")
    (read,) = event["inputs"]
    assertions = read["inputFacets"]["dataQualityAssertions"]["assertions"]
    shown = ("assertion", "success", "severity", "expected")
    assert [tuple(one[name] for name in shown) for one in assertions] == [
        ("quarantined_row_share", True, "error", "at most 0.05"),
        ("label_drift", False, "error", "at most 0.15"),
        ("fewest_of_weekday", True, "error", "at least 0.5"),
        ("canary_change", False, "warn", "at most 0.1"),
    ]
    assert [one.get("actual") for one in assertions] == ["0.012", "0.21", None, "0.3"]
    assert all("version" not in output["facets"] and not output["outputFacets"] for output in event["outputs"])


def test_a_start_without_a_run_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "key-of-the-server")
    without, with_settings = emitted(never_begun(), replace(never_begun(), settings=SETTINGS))
    assert (without["eventType"], without["inputs"], without["outputs"]) == ("FAIL", [], [])
    assert len(with_settings["outputs"]) == 4


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as taken:
        emit_event(published(), monitoring(taken.url))
        monkeypatch.setenv(KEY_VARIABLE, "key-of-the-server")
        emit_event(published(), monitoring(taken.url))
    assert [headers.get("Authorization") for _, headers, _ in taken.posted] == [None, "Bearer key-of-the-server"]


@pytest.mark.parametrize(
    ("answers", "asked", "found"),
    [((500,), 3, "HTTP 500"), ((422,), 1, "HTTP 422"), ((503, MUTE, 200), 3, ""), ((MUTE,), 3, r"no answer \(\w+\)")],
)
def test_a_server_is_asked_so_often(answers: tuple[int, ...], asked: int, found: str) -> None:
    with receiver(*answers) as taken:
        patience = 20.0 if MUTE not in answers else 1.0 if answers[-1] == 200 else 0.3
        settings = monitoring(taken.url, request_timeout_s=patience)
        if found:
            with pytest.raises(UndeliveredError, match=found) as refused_by:
                emit_event(published(), settings)
            assert "127.0.0.1" not in str(refused_by.value)
        else:
            emit_event(published(), settings)
        assert len(taken.posted) == asked


@pytest.mark.parametrize(
    ("location", "namespace", "name"),
    [
        ("/lake/feedback/", "file", "/lake/feedback"),
        ("file:///lake/feedback", "file", "/lake/feedback"),
        ("s3a://bucket/a/b", "s3://bucket", "a/b"),
        ("s3://bucket", "s3://bucket", "/"),
        ("gs://bucket/a?region=x", "gs://bucket", "a"),
        ("hdfs://server:8020/a/b", "hdfs://server:8020", "/a/b"),
        ("abfss://box@account.dfs.core.windows.net/a", "abfss://box@account.dfs.core.windows.net", "/a"),
    ],
)
def test_places_are_named_as_openlineage_names_them(location: str, namespace: str, name: str) -> None:
    assert dataset_name(location) == (namespace, name)
