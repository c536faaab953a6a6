"""What the comparison prints and writes, and what it refuses before it starts Spark."""

import csv
import json
from pathlib import Path

import pytest

from emotion_udf.audit.changes import Change
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.jobs import compare_models
from emotion_udf.jobs.compare_models import main
from emotion_udf.nightly.compare import Comparison
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.window import Window
from tests.helpers.jobs import Ended, run_main
from tests.helpers.messages import DAY

CHANGES = [
    Change("joy", True, "joy", True, 900, 800, 1_100),
    Change("joy", False, "anger", True, 80, 80, 80),
    Change("anger", True, "anger", False, 20, 20, 20),
]


class Session:
    """Stands for Spark, which has nothing to do here."""

    def stop(self) -> None:
        pass


@pytest.fixture(autouse=True)
def compared(monkeypatch: pytest.MonkeyPatch) -> list[NightSettings]:
    """Let the models be compared already; what they were compared with is kept."""
    asked: list[NightSettings] = []
    artifact = open_artifact(ArtifactSource())

    def compare(_: object, settings: NightSettings, other: object, window: Window, __: object) -> Comparison:
        asked.append(settings.model_copy(update={"classifier": other}))
        return Comparison(window, artifact, artifact, CHANGES, (0, 7))

    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(compare_models, "start_session", lambda *_: Session())
    monkeypatch.setattr(compare_models, "compare_models", compare)
    return asked


def run(folder: Path, *arguments: str) -> Ended:
    config = folder / "nightly.toml"
    config.write_text(
        f'[input]\npath = "{folder}/input"\n[warehouse]\nroot = "{folder}/warehouse"\n'
        f'[classifier]\nexpect = "{"a" * 32}"\nprecision = "fp32"\n'
    )
    return run_main(main, ["--config", str(config), "--with", "/new", "--date", str(DAY), *arguments])


def cells(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if line[:1] == "│"]


def test_changes_and_shares_are_shown(tmp_path: Path) -> None:
    ended = run(tmp_path)
    assert ended.code == 0, ended.err
    assert "1,000 messages of 2026-10-05: 8.0% change their emotion" in ended.out
    assert "7 texts scored" in ended.out
    rows = cells(ended.out)
    assert ["joy", "0", "900", "0", "80", "0", "0", "980"] in rows
    assert ["all", "0", "900", "0", "100", "0", "0", "1,000"] in rows
    assert next(row for row in rows if row[:3] == ["anger", "2.0%", "10.0%"])[3:] == ["+8.0", "+6.3 to +9.7"]
    assert next(row for row in rows if row[0] == "unclear")[1:4] == ["8.0%", "2.0%", "-6.0"]


def test_the_other_model_takes_everything_else_from_the_settings(tmp_path: Path, compared: list[NightSettings]) -> None:
    assert run(tmp_path, "--revision", "b" * 40, "--labels", "joy,love").code == 0
    (asked,) = compared
    assert (asked.classifier.model, asked.classifier.revision, asked.classifier.labels) == (
        "/new", "b" * 40, ["joy", "love"],
    )  # fmt: skip
    assert (asked.classifier.precision, asked.classifier.expect) == ("fp32", None)


def test_a_csv_file_has_a_row_a_change(tmp_path: Path) -> None:
    assert run(tmp_path, "--out", str(tmp_path / "changes.csv")).code == 0
    with (tmp_path / "changes.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["old_emotion"], row["new_emotion"], row["feedback_count"]) for row in rows] == [
        ("joy", "joy", "900"), ("joy", "anger", "80"), ("anger", "anger", "20"),
    ]  # fmt: skip


def test_a_json_file_has_everything(tmp_path: Path) -> None:
    assert run(tmp_path, "--out", str(tmp_path / "changes.json")).code == 0
    found = json.loads((tmp_path / "changes.json").read_text())
    assert (found["from_date"], found["to_date"], found["changed_share"]) == ("2026-10-05", "2026-10-05", 0.08)
    assert [share["label"] for share in found["shares"]][-1] == "unclear"
    assert sum(change["feedback_count"] for change in found["changes"]) == 1_000


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("changes.xlsx", "expected --out with a name in .csv or .json, found 'changes.xlsx'"),
        ("nowhere/changes.csv", "expected a folder that this user may write to"),
        ("there.csv", "expected no file at"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_at_once(
    tmp_path: Path, compared: list[NightSettings], out: str, told: str
) -> None:
    (tmp_path / "there.csv").write_text("somebody's")
    ended = run(tmp_path, "--out", str(tmp_path / out))
    assert (ended.code, told in ended.err, compared) == (2, True, [])
    assert (tmp_path / "there.csv").read_text() == "somebody's"
