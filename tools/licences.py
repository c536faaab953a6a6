"""See that every pinned dependency has a licence which pyproject.toml allows: `python -m tools.licences`.

A licence is what the package's own metadata say: the SPDX expression, or else the classifiers, or else the old free
text. A package whose metadata say nothing needs a line in `[tool.licences.told]`, written by somebody who has looked.
"""

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final, cast

ROOT: Final = Path(__file__).parents[1]
_CLASSIFIER: Final = "License :: "
_LONGEST: Final = 60
"""Characters of a licence's name; longer free text is the licence itself."""


@dataclass(frozen=True)
class Allowed:
    """The section `[tool.licences]`.

    Attributes:
        names: Licences, as metadata name them.
        told: The licences of packages whose metadata name none.
        alone: Licences that are allowed for one package only, by its name.
    """

    names: frozenset[str]
    told: Mapping[str, str] = field(default_factory=dict)
    alone: Mapping[str, str] = field(default_factory=dict)

    def permits(self, licence: str) -> bool:
        """Tell whether all licences are allowed that a package has; of those to choose from, `A OR B`, one."""
        return all(
            any(
                name in self.names or name.strip("() ") in self.names
                for name in re.split(r" OR ", part, flags=re.IGNORECASE)
            )
            for part in re.split(r" AND |; ", licence)
        )


def licence_of(package: Mapping[str, Any] | Message) -> str:
    """Return the licence that a package's metadata name, empty where they name none."""
    message = cast("Message", package)
    expression = message.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [line for line in message.get_all("Classifier", []) if line.startswith(_CLASSIFIER)]
    named = [line.rpartition(" :: ")[2] for line in classifiers if line != "License :: OSI Approved"]
    if named:
        return "; ".join(named)
    text = str(message.get("License", "")).strip()
    return text if len(text) <= _LONGEST and text.upper() != "UNKNOWN" else ""


def pinned_packages(constraints: str) -> list[str]:
    """Return the names that a constraints file pins."""
    return re.findall(r"^([\w.-]+)==", constraints, flags=re.MULTILINE)


def read_allowed(pyproject: str) -> Allowed:
    """Read `[tool.licences]`."""
    section = tomllib.loads(pyproject)["tool"]["licences"]
    return Allowed(frozenset(section["allowed"]), section.get("told", {}), section.get("alone", {}))


def find_problems(packages: Mapping[str, str | None], allowed: Allowed) -> list[str]:
    """Return a sentence for each package whose licence is not known to be allowed.

    Args:
        packages: The licence of each, empty where its metadata name none, None where it is not installed.
        allowed: The licences.
    """
    problems = []
    for name, found in packages.items():
        licence = found or allowed.told.get(name, "")
        if found is None:
            problems.append(f"{name}: expected it in this environment, found it missing; run make setup")
        elif not licence:
            problems.append(f"{name}: expected a licence in its metadata, found none; look, and add it to told")
        elif not allowed.permits(licence) and licence != allowed.alone.get(name):
            problems.append(f"{name}: expected an allowed licence, found {licence!r}")
    return problems


def main() -> int:
    """Check the environment that this runs in, and return the exit code."""
    allowed = read_allowed((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = pinned_packages((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    problems = find_problems({name: _installed(name) for name in names}, allowed)
    for problem in problems:
        print(f"licences: {problem}", file=sys.stderr)
    print(f"licences: {len(names)} packages, {len(problems)} of a licence that [tool.licences] does not allow")
    return 1 if problems else 0


def _installed(name: str) -> str | None:
    try:
        return licence_of(metadata(name))  # type: ignore[arg-type]
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
