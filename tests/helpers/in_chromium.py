"""A page in a browser, as a reader sees it."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page

_READY = "html[data-ready=yes]"  # the page's policy allows no expression


@dataclass
class Opened:
    """A page that is open and has drawn itself.

    Attributes:
        page: It.
        address: Its file, as an address without a selection.
        said: Messages of its console, and errors.
        requests: Addresses that it asked for.
    """

    page: Page
    address: str
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def ready(self) -> None:
        """Wait until the page shows what is selected."""
        self.page.wait_for_selector(_READY)

    def show(self, address: str) -> None:
        """Follow a link to a selection, which begins after the #."""
        self.page.evaluate("address => { location.hash = address }", address)
        self.page.wait_for_timeout(20)  # the event comes after the change
        self.ready()

    def choose(self, control: str, value: str) -> None:
        """Give a control a value as a person does."""
        place = self.page.locator(f"#{control}")
        if place.evaluate("control => control.tagName") == "SELECT":
            place.select_option(value)
        else:
            place.fill(value)
            place.dispatch_event("change")
        self.ready()

    def headline(self) -> dict[str, float | None]:
        """Return the figures at a glance, to the last digit; None where one is not known."""
        found = self.page.evaluate(
            "() => [...document.querySelectorAll('.tile')].map((tile) =>"
            " [tile.dataset.figure, tile.querySelector('.value data').value])"
        )
        return {name: float(value) if value else None for name, value in found}

    def numbers(self, name: str) -> list[dict[str, str]]:
        """Return the rows of the table behind a chart, by column; numbers to the last digit."""
        rows = self.page.evaluate(
            """(name) => {
              const details = document.querySelector(`[data-numbers="${name}"]`);
              if (!details) return [];
              details.open = true;
              return new Promise((resolve) => setTimeout(() => {
                const heads = [...details.querySelectorAll('thead th')].map((head) => head.textContent);
                resolve([...details.querySelectorAll('tbody tr')].map((row) => [...row.children].map((cell, index) =>
                  [heads[index], cell.querySelector('data')?.value ?? cell.textContent])));
              }, 30));
            }""",
            name,
        )
        return [dict(row) for row in rows]

    def text(self, section: str) -> str:
        """Return what a section says."""
        return self.page.locator(f"#{section}").inner_text()


def open_page(browser: Browser, file: Path, address: str = "", width: int = 1200, dark: bool = False) -> Opened:
    """Open a page from the disk and wait until it is drawn.

    Args:
        browser: The browser.
        file: The page.
        address: The selection, from # on.
        width: Of the window, in pixels.
        dark: Whether the reader prefers dark colours.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", accept_downloads=True
    )
    opened = Opened(context.new_page(), file.as_uri())
    opened.page.set_default_timeout(20_000)
    opened.page.on("console", lambda message: opened.said.append(f"{message.type}: {message.text}"))
    opened.page.on("pageerror", lambda error: opened.said.append(f"error: {error}"))
    opened.page.on("request", lambda request: opened.requests.append(request.url.partition("#")[0]))
    opened.page.goto(file.as_uri() + address)
    opened.ready()
    return opened
