"""The objects of conf/kubernetes, by models of the operator's API that its makers publish, and what they promise."""

import re
from typing import Any

import pytest
import yaml
from kubeflow_spark_api.models import (
    io_k8s_api_core_v1_pod_template_spec,
    spark_v1beta2_scheduled_spark_application,
)

import emotion_udf
from emotion_udf.jobs import check_published, score_feedback
from tests.helpers.jobs import run_main
from tests.helpers.paths import ROOT

FOLDER = ROOT / "conf" / "kubernetes"
NIGHT: dict[str, Any] = yaml.safe_load((FOLDER / "nightly.yaml").read_text(encoding="utf-8"))
PUBLISHED: dict[str, Any] = yaml.safe_load((FOLDER / "published.yaml").read_text(encoding="utf-8"))
TEMPLATE = NIGHT["spec"]["template"]
JOB = PUBLISHED["spec"]["jobTemplate"]["spec"]
PODS = [TEMPLATE["driver"]["template"], TEMPLATE["executor"]["template"], JOB["template"]]


def test_the_operators_own_models_know_every_field() -> None:
    model = spark_v1beta2_scheduled_spark_application.SparkV1beta2ScheduledSparkApplication
    assert model.from_dict(NIGHT).to_dict() == NIGHT


@pytest.mark.parametrize("pod", PODS, ids=["driver", "executor", "published"])
def test_every_field_of_a_pod_is_one_of_kubernetes(pod: dict[str, Any]) -> None:
    assert io_k8s_api_core_v1_pod_template_spec.IoK8sApiCoreV1PodTemplateSpec.from_dict(pod).to_dict() == pod
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["runAsNonRoot"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_nights_follow_each_other_and_end() -> None:
    spec = NIGHT["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["successfulRunHistoryLimit"] > 0
    assert spec["failedRunHistoryLimit"] > 0
    assert TEMPLATE["restartPolicy"]["type"] == "OnFailure"


def test_what_is_published_is_asked_after_the_last_try() -> None:
    tries = TEMPLATE["restartPolicy"]["onFailureRetries"] + 1
    one = TEMPLATE["driver"]["template"]["spec"]["activeDeadlineSeconds"]
    pauses = (tries - 1) * TEMPLATE["restartPolicy"]["onFailureRetryInterval"]
    begun, asked = (minute_of_day(found["spec"]["schedule"]) for found in (NIGHT, PUBLISHED))

    assert NIGHT["spec"]["timeZone"] == PUBLISHED["spec"]["timeZone"]
    assert 60 * (asked - begun) > tries * one + pauses


def minute_of_day(schedule: str) -> int:
    minute, hour, *days = schedule.split()
    assert days == ["*", "*", "*"]
    return 60 * int(hour) + int(minute)


@pytest.mark.parametrize(
    ("job", "arguments"),
    [(score_feedback, TEMPLATE["arguments"]), (check_published, JOB["template"]["spec"]["containers"][0]["args"])],
    ids=["night", "published"],
)
def test_the_jobs_take_these_arguments(job: Any, arguments: list[str]) -> None:
    """As far as the settings file, which is not there."""
    ended = run_main(job.main, arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "expected a settings file at /etc/emotions/nightly.toml" in ended.err


def test_spark_is_set_as_the_example_settings_of_spark_say() -> None:
    lines = (ROOT / "conf/spark-defaults.conf").read_text(encoding="utf-8").splitlines()
    defaults = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    assert {key: TEMPLATE["sparkConf"][key] for key in defaults} == defaults


def test_versions_are_those_of_this_package() -> None:
    pinned = re.search(r"^pyspark==(.*)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None
    assert TEMPLATE["sparkVersion"] == pinned[1]
    containerfile = (ROOT / "Containerfile").read_text(encoding="utf-8")
    assert f"\nARG SPARK_IMAGE=docker.io/apache/spark:{pinned[1]}\n" in containerfile
    for image in (TEMPLATE["image"], JOB["template"]["spec"]["containers"][0]["image"]):
        assert image == f"registry.example.org/emotion-udf:{emotion_udf.__version__}"


def test_paths_are_those_of_the_image() -> None:
    assert "ADD dist/emotion_udf-*-linux-*.tar.gz /opt/emotion-udf/" in (ROOT / "Containerfile").read_text()
    assert (ROOT / "jobs/score_feedback.py").is_file()
    assert TEMPLATE["mainApplicationFile"] == "local:///opt/emotion-udf/jobs/score_feedback.py"
    assert JOB["template"]["spec"]["containers"][0]["command"] == ["/opt/emotion-udf/bin/emotion-published"]
