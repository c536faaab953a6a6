import sys
from datetime import date
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.console import Console

from emotion_udf.emotions import EMOTIONS
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecorder
from emotion_udf.nightly.report import print_report
from emotion_udf.schemas import DAILY
from emotion_udf.settings.nightly import InputSettings, NightSettings, WarehouseSettings
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.helpers.memory_warehouse import MemoryWarehouse

DAY = date(2026, 10, 5)


def report(folder: Path, groups: dict[str | None, int], dimensions: dict[str, str], to_stdout: bool = False) -> str:
    """Print the report of a day on which each group has so many joyful messages."""
    rows = [
        {"event_date": DAY, "source": source, "emotion": emotion, "feedback_count": count * (emotion == "joy")}
        for source, count in groups.items()
        for emotion in EMOTIONS
    ]
    warehouse = MemoryWarehouse(open_folder(str(folder)))
    warehouse.tables[DAILY] = rows
    settings = NightSettings(
        input=InputSettings(path="in", dimensions=dimensions), warehouse=WarehouseSettings(root=str(folder))
    )
    run = RunRecorder(RunContext(settings, Window(DAY, DAY), run_id="r1"))
    run.note(rows_read=1234, rows_labelled=1230, rows_quarantined=4)
    shown = StringIO()
    print_report(run.mark_published(), warehouse, None if to_stdout else Console(file=shown, width=100))
    return shown.getvalue()


def lines(text: str, start: str) -> list[list[str]]:
    """The cells of the rows whose first cell starts so."""
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "│" in line]
    return [row for row in cells if row[0].startswith(start)]


def test_counts_emotions_and_paths_are_shown(tmp_path: Path) -> None:
    text = report(tmp_path, {"tweet": 2, "review": 1500, None: 1}, {"source": "source"})

    assert lines(text, "1,234")[0][:3] == ["1,234", "1,230", "4"]
    assert lines(text, "review") == [["review", "0", "1,500", "0", "0", "0", "0", "1,500"]]
    assert lines(text, "(none)") == [["(none)", "0", "1", "0", "0", "0", "0", "1"]]
    assert "  memory:runs" in text


def test_without_dimensions_there_is_one_row(tmp_path: Path) -> None:
    assert lines(report(tmp_path, {"tweet": 2, "review": 3}, {}), "all")[0][-1] == "5"


def test_of_many_groups_the_largest_are_shown_and_the_rest_summed_up(tmp_path: Path) -> None:
    text = report(tmp_path, {f"shop {n}": n for n in range(1, 21)}, {"source": "source"})

    assert {row[0] for row in lines(text, "shop")} == {f"shop {n}" for n in range(9, 21)}
    assert lines(text, "… 8 others")[0][-1] == str(sum(range(1, 9)))


def test_a_value_cannot_move_the_cursor(tmp_path: Path) -> None:
    assert "\x1b" not in report(tmp_path, {"\x1b[2J\x1b]0;title\x07": 2}, {"source": "source"})


@pytest.mark.parametrize("group", ["[/b]", "[red]x[/red]", "[link=x]", "x\\[", "[bold]"])
def test_a_value_in_brackets_is_shown_as_it_is(tmp_path: Path, group: str) -> None:
    text = report(tmp_path, {group: 2}, {"source": "source"})

    assert lines(text, group)[0][-1] == "2"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_that_is_not_utf8_shows_what_it_can(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = BytesIO()
    monkeypatch.setattr("sys.stdout", TextIOWrapper(written, encoding=encoding))
    report(tmp_path, {"grün": 2, "喜": 3}, {"source": "source"}, to_stdout=True)
    sys.stdout.flush()

    assert b"reused" in written.getvalue()
    assert b"?" in written.getvalue()
