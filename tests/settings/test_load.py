"""From a TOML file and `--set` to settings, or to one message that names every problem."""

from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from emotion_udf.errors import UsageError
from emotion_udf.settings.describe import describe_settings
from emotion_udf.settings.load import load_settings, salvage_section
from emotion_udf.settings.monitoring import MonitoringSettings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.settings.training import ObjectiveSettings, OptimizerSettings, TrainSettings
from tests.helpers.facts import unstated

ROOT = Path(__file__).parents[2]

SMALL = """
[input]
path = "/lake/feedback"

[warehouse]
root = "/warehouse"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file with just what has no default."""
    path = tmp_path / "night.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def problems(file: Path, *overrides: str) -> list[str]:
    """Load settings that are wrong and return the lines of the message."""
    with pytest.raises(UsageError) as caught:
        load_settings(NightSettings, file, overrides)
    return [line.strip() for line in str(caught.value).splitlines()]


def test_the_nightly_settings_load() -> None:
    settings = load_settings(NightSettings, ROOT / "conf" / "nightly.toml")
    assert settings.input.path == "/lake/feedback"
    assert settings.dimensions == []
    assert settings.classifier.model == "bundled"
    assert settings.gate.max_quarantined_share == 0.05


def test_the_demo_settings_load() -> None:
    settings = load_settings(NightSettings, ROOT / "conf" / "demo.toml")
    assert settings.input.path == "build/demo/feedback"
    assert settings.dimensions == ["source", "product"]


def test_the_training_settings_load() -> None:
    settings = load_settings(TrainSettings, ROOT / "conf" / "train.toml")
    assert settings.base.model == "build/base/all-MiniLM-L6-v2"
    assert settings.optimizer.learning_rate == 2e-4


@pytest.mark.parametrize("name", ["train", "train_open", "train_published", "teacher"])
def test_every_recipe_of_training_loads(name: str) -> None:
    settings = load_settings(TrainSettings, ROOT / "conf" / f"{name}.toml")
    assert settings.output.folder.startswith("build/")
    assert settings.data.all_sources()


def test_the_published_recipe_is_that_of_its_card() -> None:
    settings = load_settings(TrainSettings, ROOT / "conf" / "train_published.toml")
    assert settings.optimizer == OptimizerSettings()
    assert settings.objective == ObjectiveSettings()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    (line,) = problems(missing)
    assert unstated([str(missing), "--config"], line) == []


@pytest.mark.parametrize("content", [b"[input\n", b"path = /lake", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    (line,) = problems(file)
    assert unstated(["TOML", str(file)], line) == []


@pytest.mark.parametrize(
    ("override", "facts"),
    [
        ("input.pth=/lake", ["input.pth: ", "did you mean input.path?"]),
        ("gate.max_quarantine_share=0.1", ["gate.max_quarantine_share: ", "did you mean gate.max_quarantined_share?"]),
        ("zzzzzz=1", ["zzzzzz: ", "--help"]),
        ("classifier.token_budget=many", ["classifier.token_budget: ", "integer", "found 'many'"]),
        ("classifier.token_budget='9'", ["classifier.token_budget: ", "integer", "found '9'"]),
        ("classifier.device=gpu", ["classifier.device: ", "'auto', 'cpu' or 'cuda'", "found 'gpu'"]),
        ("labels.min_confidence=1.5", ["labels.min_confidence: ", "less than or equal to 1", "found 1.5"]),
        ("warehouse.keep_text=yes", ["warehouse.keep_text: ", "boolean", "found 'yes'"]),
        ("warehouse.format=iceberg", ["warehouse.format: ", "'delta'", "found 'iceberg'"]),
        ("input.dimensions.source=3", ["input.dimensions.source: ", "string", "found 3"]),
        ("window.timezone=Berlin", ["window.timezone: ", "IANA", "found 'Berlin'"]),
        ("input.table=lake.feedback", ["input: ", "one of input.path and input.table"]),
        ("input.dimensions.emotion=mood", ["dimensions emotion"]),
        ("input.dimensions.Source=s", ["input.dimensions: ", "lower-case words joined by _", "'Source'"]),
    ],
)
def test_a_wrong_setting_is_explained_in_one_line(file: Path, override: str, facts: list[str]) -> None:
    heading, problem = problems(file, override)
    assert str(file) in heading
    assert unstated(facts, problem) == []


def test_a_setting_without_a_default_must_be_there(file: Path) -> None:
    file.write_text('[input]\npath = "/lake"\n[warehouse]\n', encoding="utf-8")
    assert [line.partition(":")[0] for line in problems(file)[1:]] == ["warehouse.root"]
    file.write_text('[input]\npath = "/lake"\n', encoding="utf-8")
    assert [line.partition(":")[0] for line in problems(file)[1:]] == ["warehouse"]


def test_every_problem_is_in_the_same_message(file: Path) -> None:
    wrong = ["input.pth=1", "gate.max_quarantined_share=2", "window.timezone=Berlin", "classifier.chunk_rows=0"]
    lines = problems(file, *wrong)
    assert len(lines) == 5
    assert {line.split(":")[0] for line in lines[1:]} == {override.split("=")[0] for override in wrong}


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("warehouse.root=/other", "/other"),
        ("warehouse.root='/other'", "/other"),
        ('warehouse.root="s3a://bucket/a b"', "s3a://bucket/a b"),
        ("warehouse.root=/a path/with=equals signs=1", "/a path/with=equals signs=1"),
        (" warehouse.root = /other ", "/other"),
        ("warehouse.root=/a#b", "/a#b"),
    ],
)
def test_set_takes_toml_or_a_plain_string(file: Path, override: str, value: str) -> None:
    assert load_settings(NightSettings, file, [override]).warehouse.root == value


def test_set_takes_the_other_kinds_of_toml_values(file: Path) -> None:
    settings = load_settings(
        NightSettings,
        file,
        [
            "warehouse.keep_text=true",
            "classifier.token_budget=2_048",
            "labels.min_confidence=0.25",
            'classifier.labels=["sadness", "joy", "love", "anger", "fear", "surprise"]',
            'input.dimensions={source="s", product="p"}',
        ],
    )
    assert settings.warehouse.keep_text is True
    assert settings.classifier.token_budget == 2048
    assert settings.labels.min_confidence == 0.25
    assert settings.classifier.labels == ["sadness", "joy", "love", "anger", "fear", "surprise"]
    assert settings.input.dimensions == {"source": "s", "product": "p"}


def test_set_makes_the_sections_that_it_needs(file: Path) -> None:
    settings = load_settings(NightSettings, file, ["input.columns.id=key", "input.dimensions.source=channel"])
    assert settings.input.columns.id == "key"
    assert settings.input.dimensions == {"source": "channel"}


def test_the_last_set_wins(file: Path) -> None:
    assert load_settings(NightSettings, file, ["warehouse.root=/a", "warehouse.root=/b"]).warehouse.root == "/b"


def test_set_below_a_single_value_is_refused(file: Path) -> None:
    (problem,) = problems(file, "warehouse.root.bucket=b")
    assert unstated(["--set warehouse.root.bucket=b", "section", "'root'"], problem) == []


def test_set_of_a_whole_section_is_refused(file: Path) -> None:
    (problem,) = problems(file, "warehouse=/w")[1:]
    assert problem.startswith("warehouse: ")


@pytest.mark.parametrize("override", ["warehouse.root", "=/lake", "", ".root=1", "warehouse.=1", "a..b=1", " =1"])
def test_a_malformed_set_is_refused(file: Path, override: str) -> None:
    (problem,) = problems(file, override)
    assert unstated(["--set key.path=value", f"found {override!r}"], problem) == []


def test_a_section_is_read_where_the_others_are_wrong(file: Path) -> None:
    overrides = ["gate.min_messages=many", "monitoring.json_lines=-"]
    assert salvage_section(MonitoringSettings, file, "monitoring", overrides) == MonitoringSettings(json_lines="-")
    assert salvage_section(MonitoringSettings, file, "monitoring") == MonitoringSettings()
    for wrong in ("monitoring.attempts=0", "monitoring=1", "nonsense"):
        assert salvage_section(MonitoringSettings, file, "monitoring", [wrong]) is None
    assert salvage_section(MonitoringSettings, file / "nowhere", "monitoring") is None


def test_every_setting_is_listed_once_with_its_default() -> None:
    listed = describe_settings(NightSettings)
    assert len(dict(listed)) == len(listed)
    assert dict(listed)["classifier.rows_per_task"] == (
        "distinct texts of one Spark task, about; more where a core had over a hundred (default: 20000)"
    )
    assert dict(listed)["warehouse.root"].startswith("the folder of the tables; of a catalog's, ")
    assert dict(listed)["input.columns.text"] == "the message, a string (default: 'text')"


def leaves(model: type[BaseModel]) -> int:
    """Count the settings that are not sections, those of lists and tables of sections included."""
    count = 0
    for field in model.model_fields.values():
        members = get_args(field.annotation) or (field.annotation,)
        sections = [one for one in members if isinstance(one, type) and issubclass(one, BaseModel)]
        count += sum(map(leaves, sections)) if sections else 1
    return count


@pytest.mark.parametrize("kind", [NightSettings, TrainSettings])
def test_no_setting_is_missing_from_the_list(kind: type[BaseModel]) -> None:
    assert len(describe_settings(kind)) == leaves(kind)


@pytest.mark.parametrize(
    "kind",
    [
        NightSettings,
        TrainSettings,
    ],
)
def test_every_setting_says_what_it_means(kind: type[BaseModel]) -> None:
    assert [path for path, meaning in describe_settings(kind) if not meaning.partition("(default")[0]] == []
