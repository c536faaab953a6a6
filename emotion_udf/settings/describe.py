"""A list of all settings, for `--help`, for the page docs/settings.md, and to find the one that was meant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class DescribedSection:
    """A table of a settings file.

    Attributes:
        path: Its name in TOML, such as `input.columns`; empty for the file itself.
        model: The model that checks it.
    """

    path: str
    model: type[BaseModel]

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """Its own settings by name, without the sections in it."""
        fields = self.model.model_fields.items()
        return {name: field for name, field in fields if not _models_in(field.annotation)}

    def path_of(self, name: str) -> str:
        """Return the path of a setting or section in it."""
        return f"{self.path}.{name}" if self.path else name


def walk_sections(model: type[BaseModel], path: str = "") -> Iterator[DescribedSection]:
    """Yield a model as a section, then each section in it; of a union of models, every member."""
    section = DescribedSection(path, model)
    yield section
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            yield from walk_sections(inner, section.path_of(name))


def describe_settings(model: type[BaseModel]) -> list[tuple[str, str]]:
    """List every setting's path with its meaning and default."""
    return [
        (section.path_of(name), _describe(field))
        for section in walk_sections(model)
        for name, field in section.fields.items()
    ]


def _describe(field: FieldInfo) -> str:
    default = "" if field.is_required() else f" (default: {field.default!r})"
    return f"{field.description or ''}{default}".strip()


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    members = get_args(annotation) or (annotation,)
    return [member for member in members if isinstance(member, type) and issubclass(member, BaseModel)]
