"""The page of settings holds every setting, and a stale one is found."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from emotion_udf.settings.describe import describe_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.settings.section import Section
from emotion_udf.settings.training import TrainSettings
from tools import settings_page as page


class Oven(Section):
    """A thing that bakes.

    Attributes:
        degrees: Not for the page.
    """

    degrees: int = Field(ge=50, lt=300, description="how hot")
    heat: Literal["top", "bottom"] | None = Field(default=None, description="from where | or none")


class Kitchen(Section):
    """Where cakes come from."""

    oven: Oven
    cakes: list[str] = Field(default=["plum"], description="in order")


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(page, "_JOBS", {"Baking": Kitchen})
    monkeypatch.setattr(page, "PAGE", tmp_path / "settings.md")
    return tmp_path / "settings.md"


@pytest.mark.usefixtures("kitchen")
def test_a_setting_is_a_row_with_its_values_default_and_meaning() -> None:
    shown = page.settings_page()

    assert "\n## Baking\n" in shown
    assert "\n### `[oven]`\n\nA thing that bakes.\n\n" in shown
    assert "| `degrees` | whole number, ≥ 50, < 300 | **required** | how hot |" in shown
    assert '| `heat` | `"top"`, `"bottom"` |  | from where \\| or none |' in shown
    assert '| `cakes` | list | `["plum"]` | in order |' in shown
    assert "Not for the page" not in shown


@pytest.mark.parametrize("model", [NightSettings, TrainSettings])
def test_every_setting_of_a_job_is_on_the_page(model: type[Section]) -> None:
    shown = page.settings_page()

    for path, _ in describe_settings(model):
        section, _, key = path.rpartition(".")
        assert f"| `{key}` |" in shown.split(f"### `[{section}]`", 1)[1].split("\n### ", 1)[0]


def test_a_page_is_stale_until_it_is_written(kitchen: Path) -> None:
    with pytest.raises(SystemExit, match="run make docs"):
        page.main(["--check"])
    assert not kitchen.exists()

    page.main([])
    page.main(["--check"])

    kitchen.write_text(kitchen.read_text(encoding="utf-8").replace("how hot", "how cold"), encoding="utf-8")
    with pytest.raises(SystemExit, match="run make docs"):
        page.main(["--check"])
