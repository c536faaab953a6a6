"""Picture the dashboard: on a desktop, on a phone, in the dark, and the part of it that the README shows.

python -m tools.screenshots build/screenshots
"""

import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from emotion_udf.dashboard.build import build_dashboard
from tests.helpers.made_up import Feedback, write_release

SHOWN = Feedback(
    {
        "source": ["tweet", "review", "support"],
        "product": ["Kettle One", "Trailbag", "Lumen App", "Pebble Watch", "Nook Lamp", None],
    },
    days=120,
    mean=60,
    missing=(75,),
    empty=(103,),
    audited=360,
    texts=[
        ("joy", "400 day streak on this app!! so proud of myself"),
        ("anger", "The zip split on day two. For this price? Furious."),
        ("fear", "Where is my parcel? Order 88123. I am worried that it got lost."),
        ("love", "I love this thing more than is reasonable, thank you @trailbag"),
        ("sadness", "It broke the week after my father gave it to me."),
        ("surprise", "Did not expect it to float. It floats."),
    ],
)


def main(folder: Path) -> None:
    """Write the pictures below `folder`."""
    browser_file = shutil.which("chromium")
    if browser_file is None:
        sys.exit("error: expected Debian's chromium, found none; sudo apt-get install chromium")
    shutil.rmtree(folder / "warehouse", ignore_errors=True)
    write_release(folder / "warehouse", SHOWN)
    page = folder / "dashboard.html"
    build_dashboard(str(folder / "warehouse"), page)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        _picture(browser, page, folder / "desktop.png", 1200)
        _picture(browser, page, folder / "phone.png", 360)
        _picture(browser, page, folder / "dark.png", 1200, "dark")
        _picture(browser, page, folder / "readme.png", 1000, until="groups")
        browser.close()


def _picture(
    browser: Browser,
    page: Path,
    file: Path,
    width: int,
    scheme: Literal["light", "dark"] = "light",
    until: str | None = None,
) -> None:
    """Save a picture of the page, all of it or from the figures at a glance to the end of a section."""
    view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    view.goto(page.resolve().as_uri())
    view.wait_for_selector("html[data-ready=yes]")
    if until is None:
        view.screenshot(path=file, full_page=True)
    else:
        top, bottom = view.evaluate(
            "(last) => [document.getElementById('headline').getBoundingClientRect().top,"
            " document.getElementById(last).getBoundingClientRect().bottom]",
            until,
        )
        view.screenshot(path=file, full_page=True, clip={"x": 0, "y": top, "width": width, "height": bottom - top})
    view.close()
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
