"""Pages of made-up releases, and Debian's Chromium to open them in."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from emotion_udf.dashboard.build import PageOptions, build_dashboard
from tests.helpers.in_chromium import Opened, open_page
from tests.helpers.made_up import Feedback, write_release

Built = Callable[[Feedback], tuple[Path, Path]]
"""Gives the warehouse and the page of some feedback, made once."""

Open = Callable[..., Opened]
"""Opens the page of some feedback: `open_feedback(feedback, address="", width=1200, dark=False)`."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; CI must have it, elsewhere what needs it is skipped."""
    found = shutil.which("chromium")
    if found is None:
        missing = "needs Debian's chromium, found none; sudo apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        # Root has no sandbox in a container; the pages are our own.
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield started
        started.close()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    made: dict[str, tuple[Path, Path]] = {}

    def build(feedback: Feedback) -> tuple[Path, Path]:
        key = repr(feedback)
        if key not in made:
            folder = tmp_path_factory.mktemp("release")
            write_release(folder / "warehouse", feedback)
            build_dashboard(str(folder / "warehouse"), folder / "page.html", PageOptions())
            made[key] = folder / "warehouse", folder / "page.html"
        return made[key]

    return build


@pytest.fixture
def open_feedback(browser: Browser, built: Built) -> Iterator[Open]:
    """Open pages; at the end none of them may have complained, or asked for anything but itself."""
    opened: list[Opened] = []

    def open_it(feedback: Feedback, address: str = "", width: int = 1200, dark: bool = False) -> Opened:
        _, file = built(feedback)
        opened.append(open_page(browser, file, address, width, dark))
        return opened[-1]

    yield open_it
    for one in opened:
        one.page.context.close()
    assert [said for one in opened for said in one.said] == []
    assert {request for one in opened for request in one.requests} <= {one.address for one in opened}


@contextmanager
def no_more(opened: Opened) -> Iterator[None]:
    """Take complaints, and requests that were refused, which a test provokes."""
    said, requests = len(opened.said), len(opened.requests)
    yield
    del opened.said[said:]
    del opened.requests[requests:]
