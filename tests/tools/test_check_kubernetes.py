from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.check_kubernetes import complaints, main

DEFINITION: dict[str, Any] = {
    "metadata": {"name": "nights.example.org"},
    "spec": {
        "group": "example.org",
        "names": {"kind": "Night"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "hour": {"type": "integer", "minimum": 0},
                                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                    "template": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "steps": {
                                        "type": "array",
                                        "items": {"type": "object", "properties": {"name": {"type": "string"}}},
                                    },
                                },
                            },
                        },
                    }
                },
            }
        ],
    },
}
NIGHT: dict[str, Any] = {"apiVersion": "example.org/v1", "kind": "Night", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"hour": 2, "labels": {"any": "thing"}, "template": {"any": {"thing": 1}}, "steps": [{"name": "a"}]}, []),
        ({"hour": -1}, ["spec.hour: -1 is less than the minimum of 0"]),
        ({"our": 2}, ["spec: Additional properties are not allowed ('our' was unexpected)"]),
        ({"labels": {"any": 1}}, ["spec.labels.any: 1 is not of type 'string'"]),
        ({"steps": [{"nam": "a"}]}, ["spec.steps.0: Additional properties are not allowed ('nam' was unexpected)"]),
    ],
)
def test_an_object_is_what_its_definition_allows(spec: dict[str, Any], told: list[str]) -> None:
    assert complaints(DEFINITION, NIGHT | {"spec": spec}) == told


def test_an_object_without_what_is_required_or_of_another_kind_is_told() -> None:
    assert complaints(DEFINITION, NIGHT) == ["Night: 'spec' is a required property"]
    other = NIGHT | {"apiVersion": "example.org/v2"}
    assert complaints(DEFINITION, other) == ["expected a Night of example.org/v1, found a Night of example.org/v2"]


def test_each_file_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = NIGHT | {"spec": {"hour": 2}}, NIGHT | {"spec": {"hour": "2"}}
    for name, content in (("crd", DEFINITION), ("good", good), ("bad", bad)):
        (tmp_path / name).write_text(yaml.safe_dump(content))
    crd, right, wrong = (str(tmp_path / name) for name in ("crd", "good", "bad"))

    assert main([crd, right]) == 0
    assert main([crd, right, wrong]) == 1
    assert main([crd]) == 2
    assert f"{wrong}: spec.hour: '2' is not of type 'integer'\n" in capsys.readouterr().out
