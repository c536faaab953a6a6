"""Reading a settings file: TOML, then `--set key.path=value`, then every complaint in one message."""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from emotion_udf.errors import UsageError
from emotion_udf.settings.describe import describe_settings

SettingsT = TypeVar("SettingsT", bound=BaseModel)


def load_settings(kind: type[SettingsT], file: Path, overrides: Iterable[str] = ()) -> SettingsT:
    """Read settings from a TOML file and apply `key.path=value` overrides.

    Args:
        kind: The model to read, such as `NightSettings`.
        file: A TOML file.
        overrides: Each `key.path=value`; the value is TOML, or else a plain string.

    Raises:
        UsageError: The file is missing or no TOML, a key is unknown, or a value is of a wrong type or range.
    """
    tree = _read_tree(file, overrides)
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(kind, problem)}" for problem in error.errors())
        raise UsageError(f"{file} does not hold valid settings:\n{problems}") from error


def salvage_section(kind: type[SettingsT], file: Path, name: str, overrides: Iterable[str] = ()) -> SettingsT | None:
    """Read one section of a settings file whose others may be wrong; None where that is not possible."""
    try:
        return kind.model_validate(_read_tree(file, overrides).get(name, {}))
    except (UsageError, ValidationError, OSError):
        return None


def _read_tree(file: Path, overrides: Iterable[str]) -> dict[str, Any]:
    if not file.is_file():
        raise UsageError(f"expected a settings file at {file}, found none; give its path with --config")
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"expected TOML in {file}, found something else: {error}") from error
    for override in overrides:
        _apply(tree, override)
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"expected --set key.path=value, found {override!r}; for example --set warehouse.root=/lake")
    table = tree
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {override}: expected a section at {key!r}, found a single value")
    table[keys[-1]] = _parse_value(value.strip())


def _parse_value(value: str) -> Any:
    try:
        return value if "\n" in value else tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _explain(kind: type[BaseModel], problem: ErrorDetails) -> str:
    """Say in one line what was expected of a setting and what was found."""
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path, _setting_paths(kind), n=1)
        return f"{path}: unknown setting" + (f"; did you mean {near[0]}?" if near else "; --help lists all")
    if problem["type"] == "missing":
        return f"{path}: expected a value, found none"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        return f"{path}: {message}".removeprefix(": ")
    found = "a section" if isinstance(problem["input"], dict) else repr(problem["input"])
    return f"{path}: {message[0].lower()}{message[1:]}, found {found}"


def _setting_paths(kind: type[BaseModel]) -> list[str]:
    return [path for path, _ in describe_settings(kind)]
