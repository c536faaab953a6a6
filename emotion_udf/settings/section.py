"""The base of every section of a settings file."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of a settings file: no unknown keys, no silent conversions, no changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
