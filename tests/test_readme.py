"""What README.md, CONTRIBUTING.md and docs/ show works as it is written there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emotion_udf.jobs import evaluate_classifier, publish_postgres, query_tables, score_feedback, train_classifier
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.settings.describe import describe_settings, walk_sections
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.settings.publish import PublishSettings
from emotion_udf.settings.section import Section
from emotion_udf.settings.training import TrainSettings
from emotion_udf.window import Window
from tests.helpers.messages import DAY, message, write_messages
from tests.helpers.paths import ROOT

README = ROOT / "README.md"
PAGES = sorted([README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
WAREHOUSE = "/warehouse/emotions"
JOBS = {
    "score": score_feedback,
    "train": train_classifier,
    "evaluate": evaluate_classifier,
    "sql": query_tables,
    "postgres": publish_postgres,
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(*languages: str, pages: list[Path] = PAGES) -> list[Block]:
    return [block for page in pages for block in blocks_of(page) if block.language in languages]


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code_spans(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("toml", blocks("toml"), ids=str)
def test_every_settings_example_loads(toml: Block, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(toml.text, encoding="utf-8")

    settings = load_settings(model_of(toml.text), file)

    assert settings.model_fields_set


def model_of(toml: str) -> type[Section]:
    """Tell whose settings an example holds."""
    if "[base]" in toml:
        return TrainSettings
    return NightSettings if "[input]" in toml else PublishSettings


def test_the_readme_prints_what_it_shows(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("python", pages=[README])
    (shown,) = (block for block in blocks("", pages=[README]) if "|confidence|" in block.text)

    exec(example.text, {})  # noqa: S102

    assert spark is SparkSession.getActiveSession()
    printed = cells(capsys.readouterr().out)
    expected = cells(shown.text)
    assert [row[:2] for row in printed] == [row[:2] for row in expected]
    # Another processor, another precision: digits differ, labels do not.
    confidences = [float(row[2]) for row in printed[1:]]
    assert confidences == pytest.approx([float(row[2]) for row in expected[1:]], abs=0.02)


def cells(table: str) -> list[list[str]]:
    """Read the rows of a table as Spark prints it, the heading first."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a night over two messages."""
    folder = tmp_path_factory.mktemp("documented")
    write_messages(folder / "input/a.parquet", [message("m1", "i feel so happy today"), message("m2", "i am furious")])
    settings = NightSettings.model_validate(
        {
            "input": {"path": str(folder / "input"), "dimensions": {"source": "source"}},
            "warehouse": {"root": str(folder / "warehouse")},
        }
    )
    run_night(spark, settings, Window(DAY, DAY))
    return folder / "warehouse"


@pytest.mark.parametrize("example", blocks("python", pages=[page for page in PAGES if page != README]), ids=str)
def test_every_other_python_example_runs_and_prints(
    example: Block, spark: SparkSession, warehouse: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    feedback = spark.createDataFrame([("m1", "i feel so happy today")], "id STRING, text STRING")
    feedback.createOrReplaceTempView("feedback")

    exec(example.text.replace(WAREHOUSE, str(warehouse)), {"spark": spark, "feedback": feedback})  # noqa: S102

    printed = capfd.readouterr().out
    assert printed.strip() or not re.search(r"\.show\(|print\(", example.text)
    assert "make_emotion_udf" not in example.text or printed.count("joy") == 2


def test_every_setting_that_a_page_names_exists() -> None:
    models = (NightSettings, PublishSettings, TrainSettings)
    known = {path for model in models for path, _ in describe_settings(model)}
    known |= {section.path for model in models for section in walk_sections(model)}
    top = "|".join({path.partition(".")[0] for path in known} - {""})
    spans = [span.partition(" = ")[0] for page in PAGES for span in code_spans(page)]
    named = {span for span in spans if re.fullmatch(rf"({top})(\.(?!toml$)[a-z_]+)+", span)}

    assert {"scores.reuse", "classifier.model"} <= named
    assert named <= known


@pytest.mark.parametrize(
    "command", [b for b in blocks("sh") if "emotion-" in b.text or "score_feedback" in b.text], ids=str
)
def test_every_option_that_a_command_shows_exists(command: Block, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        line
        for line in command.text.splitlines()
        if re.search(r"emotion-(score|train|evaluate|sql|postgres)\b|jobs/", line)
    ]
    for line in lines:
        job = next(module for name, module in JOBS.items() if f"emotion-{name}" in line or f"jobs/{name}_" in line)
        with pytest.raises(SystemExit):
            job.main(["--help"])
        helped = capsys.readouterr().out
        for option in re.findall(r"(?<=\s)--[a-z-]+", line):
            assert option in helped


@pytest.mark.parametrize(
    "page",
    [*PAGES, *(ROOT / page for page in ("ARCHITECTURE.md", "benchmarks/README.md", "emotion_udf/training/README.md"))],
    ids=name_of,
)
def test_every_place_that_a_page_links_to_exists(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as GitHub does."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    shown = [span for page in PAGES for span in code_spans(page)] + [block.text for block in blocks("sh")]
    named = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)", "\n".join(shown)))

    assert {"demo", "test", "check"} <= named
    assert named <= targets
