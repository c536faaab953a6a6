"""Write docs/settings.md from the settings' models, or see that it is what they say.

python -m tools.settings_page [--check]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emotion_udf.settings.describe import DescribedSection, walk_sections
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.settings.publish import PublishSettings
from emotion_udf.settings.training import TrainSettings

PAGE: Final = Path(__file__).parents[1] / "docs/settings.md"

_INTRODUCTION = """\
# Settings

<!-- Made by `make docs` from emotion_udf/settings. Change the descriptions there. -->

A job reads its settings from one TOML file, `--config FILE`. `--set section.key=value` replaces a single setting for
one run and may be given again. An unknown key, a wrong type or a value out of range ends the job with exit code 2,
before anything is read; all problems are listed at once. A key without a default stays unset.

`emotion-score --examples` prints the folder of the example files. `emotion-evaluate` has no settings file; its
`--help` lists its options.
"""
_JOBS: dict[str, type[BaseModel]] = {
    "The nightly job: `emotion-score`, `nightly.toml`": NightSettings,
    "Copies in PostgreSQL: `emotion-postgres`, `postgres.toml`": PublishSettings,
    "Training: `emotion-train`, `train.toml`": TrainSettings,
}
_TYPES = {bool: "true or false", int: "whole number", float: "number", str: "text", list: "list", dict: "table"}
_LIMITS = {Ge: ("ge", "≥"), Gt: ("gt", ">"), Le: ("le", "≤"), Lt: ("lt", "<")}


def settings_page() -> str:
    """Return the page as Markdown."""
    parts = [_INTRODUCTION]
    for title, model in _JOBS.items():
        parts.append(f"## {title}\n")
        parts += [_section(section) for section in walk_sections(model) if section.fields]
    return "\n".join(parts)


def _section(section: DescribedSection) -> str:
    about = cleandoc(section.model.__doc__ or "").partition("\nAttributes:")[0].strip()
    rows = "\n".join(_rows(section))
    return f"### `[{section.path}]`\n\n{about}\n\n| key | value | default | meaning |\n|---|---|---|---|\n{rows}\n"


def _rows(section: DescribedSection) -> Iterator[str]:
    for name, field in section.fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{name}` | {_values(field)} | {_default(field)} | {meaning} |"


def _values(field: FieldInfo) -> str:
    """Say which values a setting takes: the words to choose from, or a type and its limits."""
    limits = [_limit(limit) for limit in field.metadata if type(limit) in _LIMITS]
    return ", ".join([*(_name(member) for member in _members(field.annotation)), *limits])


def _name(type_: Any) -> str:
    if get_origin(type_) is Literal:
        return ", ".join(f"`{_toml(choice)}`" for choice in get_args(type_))
    return _TYPES[get_origin(type_) or type_]


def _limit(limit: Any) -> str:
    attribute, sign = _LIMITS[type(limit)]
    return f"{sign} {getattr(limit, attribute)}"


def _members(annotation: Any) -> list[Any]:
    """Return a type alone, or what is left of `type | None`."""
    is_optional = NoneType in get_args(annotation)
    return [member for member in get_args(annotation) if member is not NoneType] if is_optional else [annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    return "" if field.default is None else f"`{_toml(field.default)}`"


def _toml(value: Any) -> str:
    """Write a default as TOML does; JSON is the same for texts, truth values, numbers and lists."""
    return json.dumps(value, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page; with `--check`, end with exit code 1 where it is not what the models say."""
    parser = argparse.ArgumentParser(description="Write docs/settings.md from the settings' models.")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where the page is stale")
    options = parser.parse_args(arguments)
    page = settings_page()
    if not options.check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"expected {PAGE} to hold what the settings' models say, found another text; run make docs")


if __name__ == "__main__":
    main()
