"""A site as the schedulers' examples in conf expect it: its own folder in the place of /srv/emotions, and a feed."""

import os
import signal
import sys
import tomllib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from demo.make_input import COLUMNS, SAMPLE
from tests.helpers.jobs import query
from tests.helpers.paths import ROOT

_LAST_OF_DEMO: Final = date(2026, 10, 18)
_PLACES: Final = {"/srv/emotions": "", "/warehouse/emotions": "warehouse", "/lake/feedback": "feedback"}
"""The places that the examples name, and where they are below a site's folder."""


@dataclass(frozen=True)
class Site:
    """A site.

    Attributes:
        folder: Its folder. Its name is not plain ASCII, so that what starts a job has to give it a locale.
    """

    folder: Path

    @property
    def warehouse(self) -> Path:
        """The tables."""
        return self.folder / "warehouse"

    def adapt(self, example: Path) -> str:
        """Return an example file with the site's own places in it."""
        text = example.read_text(encoding="utf-8")
        for place, ours in _PLACES.items():
            text = text.replace(place, str(self.folder / ours))
        return text

    def runs(self) -> list[tuple[Any, ...]]:
        """Return how each run ended and its days, oldest first."""
        return query(self.warehouse, "SELECT outcome, from_date, to_date FROM runs ORDER BY started_at")

    def end_work(self) -> None:
        """End the processes that work in the site's folder, which whoever has started them may have left."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended while we looked
                if (process / "cwd").resolve() == self.folder:
                    os.kill(int(process.name), signal.SIGKILL)


def make_site(folder: Path, last: date, bad: Collection[date] = ()) -> Site:
    """Lay out a site: the environment of these tests, the examples, the jobs, and a feed that ends with a day."""
    site = Site(folder / "rückmeldungen")
    (site.folder / "conf").mkdir(parents=True)
    _make_environment(site.folder / ".venv")
    (site.folder / "jobs").symlink_to(ROOT / "jobs")
    for example in ("nightly.toml", "spark-defaults.conf", "log4j2.properties"):
        (site.folder / "conf" / example).write_text(site.adapt(ROOT / "conf" / example), encoding="utf-8")
    site.warehouse.mkdir()
    write_feed(site.folder / "feedback", last, bad)
    return site


def _make_environment(folder: Path) -> None:
    """Lay out the tests' own environment anew, with the console scripts of this checkout, whatever is installed."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for name in ("pyvenv.cfg", "lib"):
        (folder / name).symlink_to(Path(sys.prefix, name))
    for program in Path(sys.prefix, "bin").iterdir():
        (programs / program.name).symlink_to(program)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for name, place in scripts.items():
        module, _, function = place.partition(":")
        (programs / name).unlink(missing_ok=True)
        script = f"#!{programs}/python\nfrom {module} import {function}\n\n{function}()\n"
        (programs / name).write_text(script, encoding="utf-8")
        (programs / name).chmod(0o755)


def write_feed(folder: Path, last: date, bad: Collection[date] = ()) -> None:
    """Write the demo's two weeks so that they end with a day, one file a day.

    Bad rows are left out, but half of a day's rows lose their text on days that are to be refused.
    """
    folder.mkdir(exist_ok=True)
    later = last - _LAST_OF_DEMO
    days: dict[date, dict[str, dict[str, Any]]] = {}
    for row in pj.read_json(SAMPLE, parse_options=pj.ParseOptions(explicit_schema=COLUMNS)).to_pylist():
        if row["feedback_id"] and row["created_at"] and (row["text"] or "").strip():
            moment: datetime = row.pop("created_at") + later
            id_ = row.pop("feedback_id")
            days.setdefault(moment.date(), {})[id_] = row | {"id": id_, "created_at": moment}
    for day, rows in days.items():
        of_day = list(rows.values())
        if day in bad:
            of_day = [row | {"text": None if number % 2 else row["text"]} for number, row in enumerate(of_day)]
        pq.write_table(pa.Table.from_pylist(of_day), folder / f"{day}.parquet")


def private_values() -> set[str]:
    """Return the feed's texts and authors, but for those so short that they can stand in any log by chance."""
    rows = pj.read_json(SAMPLE, parse_options=pj.ParseOptions(explicit_schema=COLUMNS)).to_pylist()
    return {row[name] for row in rows for name in ("text", "author") if len(row[name] or "") > 7}


def days_before(day: date, count: int) -> list[date]:
    """Return the days before a day, oldest first."""
    return [day - timedelta(days=number) for number in range(count, 0, -1)]
