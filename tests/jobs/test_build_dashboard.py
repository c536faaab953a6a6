from pathlib import Path

import pytest

from emotion_udf.jobs.build_dashboard import main
from tests.helpers.jobs import run_main
from tests.helpers.made_up import Feedback, write_release


def test_the_job_writes_the_page_and_says_where(tmp_path: Path) -> None:
    write_release(tmp_path / "warehouse", Feedback(days=2))

    ended = run_main(main, ["--warehouse", str(tmp_path / "warehouse"), "--out", str(tmp_path / "page.html")])

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Dashboard, 1.0")
    assert ended.out.endswith(f"{tmp_path / 'page.html'}\n")
    assert (tmp_path / "page.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--warehouse", "{folder}", "--out", "{folder}/page.html"], "error: expected the tables of the nightly job"),
        (["--warehouse", "{folder}", "--out", "{folder}"], "error: expected a file for the page, found the folder"),
        (["--warehouse", "{folder}", "--out", "x.html", "--days", "0"], "expected a whole number from 1 on, found '0'"),
        (["--warehouse", "~/x", "--out", "{folder}/page.html"], "only a shell knows what ~ stands for"),
        ([], "the following arguments are required: --warehouse, --out"),
    ],
)
def test_what_cannot_work_ends_with_two_and_says_why(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = run_main(main, [argument.format(folder=tmp_path) for argument in arguments])

    assert ended.code == 2
    assert message in ended.err
    assert not list(tmp_path.iterdir())


def test_a_release_that_cannot_be_read_ends_with_three(tmp_path: Path) -> None:
    write_release(tmp_path / "warehouse", Feedback(days=2))
    next((tmp_path / "warehouse" / "emotion_daily").rglob("*.parquet")).unlink()

    ended = run_main(main, ["--warehouse", str(tmp_path / "warehouse"), "--out", str(tmp_path / "page.html")])

    assert ended.code == 3
    assert ended.err.startswith("error: expected all files of emotion_daily in release 1, found 1 gone")
