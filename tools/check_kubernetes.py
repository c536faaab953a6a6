"""Check objects for Kubernetes against CustomResourceDefinitions: `python -m tools.check_kubernetes CRD FILE…`.

For example with config/crd/bases/sparkoperator.k8s.io_scheduledsparkapplications.yaml of kubeflow's spark-operator, and
conf/kubernetes/nightly.yaml.

A cluster drops fields that the definition does not know, and only warns of it. Here they are complaints.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator

_PRESERVED: Final = "x-kubernetes-preserve-unknown-fields"
_OWN_FIELDS: Final = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def complaints(definition: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what a definition does not allow in an object, a line each.

    Args:
        definition: A CustomResourceDefinition.
        found: An object, such as one file of YAML has it.
    """
    kind = definition["spec"]["names"]["kind"]
    group = definition["spec"]["group"]
    schemas = {f"{group}/{version['name']}": version["schema"] for version in definition["spec"]["versions"]}
    name = (found.get("apiVersion"), found.get("kind"))
    if name[0] not in schemas or name[1] != kind:
        return [f"expected a {kind} of {' or '.join(schemas)}, found a {name[1]} of {name[0]}"]
    schema = closed(schemas[name[0]]["openAPIV3Schema"])
    schema["properties"] |= _OWN_FIELDS
    errors = sorted(Draft202012Validator(schema).iter_errors(found), key=lambda error: list(map(str, error.path)))
    return [f"{'.'.join(map(str, error.path)) or kind}: {error.message}" for error in errors]


def closed(schema: Any) -> Any:
    """Return a schema whose objects have the fields that it names, and no other."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {key: closed(part) for key, part in schema.items()}
    fields = schema.get("properties")
    is_object = isinstance(fields, dict) and schema.get("type") == "object"
    if is_object and not schema.get(_PRESERVED) and "additionalProperties" not in schema:
        copied["additionalProperties"] = False
    return copied


def main(arguments: Sequence[str]) -> int:
    """Check each file, tell of each, and return 1 where there is a complaint."""
    if len(arguments) < 2:
        print("usage: python -m tools.check_kubernetes CRD FILE...", file=sys.stderr)
        return 2
    read = Path(arguments[0]).read_bytes()
    definition = yaml.safe_load(read)
    print(f"{definition['metadata']['name']}, SHA-256 {hashlib.sha256(read).hexdigest()}")
    complained = False
    for file, found in _objects(arguments[1:]):
        lines = complaints(definition, found)
        complained = complained or bool(lines)
        print(f"{file}: {'; '.join(lines) or 'as it should be'}")
    return int(complained)


def _objects(files: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in files:
        for found in yaml.safe_load_all(Path(file).read_text(encoding="utf-8")):
            yield file, found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
