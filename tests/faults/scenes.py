"""What a driver does, without Spark: nights that are published, and the maintenance of their tables.

`run_night` is the job's own; only the files that Spark's executors would write are written by pyarrow.
"""

import json
import os
import time
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql.pandas.types import to_arrow_schema
from rich.console import Console

from emotion_udf.jobs.command_line import exit_code_of
from emotion_udf.jobs.maintenance import Maintenance
from emotion_udf.nightly import pipeline
from emotion_udf.nightly.scoring import remember
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RELEASES, RUNS, TEXT_SCORES, scores_schema
from emotion_udf.settings.nightly import InputSettings, NightSettings, WarehouseSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables import publish
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.runs import list_runs
from emotion_udf.window import Window
from tests.helpers.nights import row_of, shown_rows, stage_rows, write_file

FIRST = date(2026, 10, 5)
TEXT = "a text that nobody else may read"
MODEL = "model-1"
TABLES = (LABELS, DAILY, QUARANTINE, RELEASES, TEXT_SCORES, RUNS)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def settings_of(root: str) -> NightSettings:
    return NightSettings(
        input=InputSettings(path=f"{root}/input"), warehouse=WarehouseSettings(root=f"{root}/w", keep_text=True)
    )


def warehouse_of(root: str) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(settings_of(root).warehouse.root))


def night(root: str, first: str, last: str) -> int:
    """Run a night over the days from number `first` to number `last`, and return its exit code."""
    pipeline._prepare = write_files
    window = Window(day(int(first)), day(int(last)))
    return exit_code_of(lambda: void(pipeline.run_night(None, settings_of(root), window)), debug=False)  # type: ignore[arg-type]


def void(_: object) -> None:
    """Return nothing, as a job does."""


def write_files(night: Any) -> None:
    """Write what Spark would have: staged texts, scores, and the files of each table."""
    if "OVERLAPPING" in os.environ:
        meet(Path(night.warehouse.root.path))
    run_id = night.context.run_id
    warehouse = night.warehouse
    days = night.context.window.dates
    write_file(night.staging / "checked", pa.table({"text": [TEXT]}))
    schema = to_arrow_schema(scores_schema(), timezone="UTC")
    row = {"string": "x", "date": days[0], "float": 0.5, "double": 0.5, "int": 1, "bigint": 1, "boolean": True}
    score = {field.name: row.get(field.dataType.simpleString()) for field in scores_schema()}
    write_file(warehouse.data_folder(TEXT_SCORES, run_id), pa.Table.from_pylist([score], schema=schema))
    remember(night.context, warehouse, SimpleNamespace(fingerprint=MODEL), 1)  # type: ignore[arg-type]
    for table in (LABELS, DAILY, QUARANTINE):
        rows = {of_day: [row_of(table, run_id, **facts(table, of_day))] for of_day in days}
        stage_rows(warehouse, table, run_id, rows)


def meet(root: Path) -> None:
    """Wait until as many runs as OVERLAPPING says have begun."""
    here = root.with_name("begun")
    here.mkdir(exist_ok=True)
    (here / str(os.getpid())).touch()
    until = time.monotonic() + 60
    while len(list(here.iterdir())) < int(os.environ["OVERLAPPING"]) and time.monotonic() < until:
        time.sleep(0.001)


def outcomes(root: str) -> int:
    """Print how the runs ended that `runs` has."""
    print(json.dumps(sorted(row["outcome"] for row in list_runs(warehouse_of(root)))))
    return 0


def facts(table: str, of_day: date) -> dict[str, Any]:
    """Return what tells a row of one day from that of another."""
    if table == DAILY:
        return {"feedback_count": of_day.day, "mean_probability": of_day.day / 64}
    return {"feedback_id": f"id-{of_day}", "text": TEXT} if table == LABELS else {"feedback_id": f"id-{of_day}"}


def nights(root: str, *spans: tuple[int, int]) -> None:
    for first, last in spans:
        assert night(root, str(first), str(last)) == 0


def maintain(root: str, command: str, *arguments: str) -> int:
    """Run a maintenance command and return its exit code."""
    with open(os.devnull, "w") as nowhere:
        maintenance = Maintenance(settings_of(root), console=Console(file=nowhere))
        commands = {
            "rollback": lambda: maintenance.rollback(int(arguments[0])),
            "compact": maintenance.compact,
            "vacuum": lambda: maintenance.vacuum(-1),  # all that is older than tomorrow
            "drop-scores": lambda: maintenance.drop_scores(MODEL),
            "forget": lambda: maintenance.forget(Path(root) / "ids"),
        }
        return exit_code_of(lambda: void(commands[command]()), debug=False)


def two_nights(root: str) -> int:
    nights(root, (0, 1), (1, 2))
    return 0


def nothing(_: str) -> int:
    return 0


def nine_nights(root: str) -> int:
    """So many that the next one makes checkpoints, and that there is something to join and to delete."""
    nights(root, *[(n % 3, n % 3) for n in range(9)])
    return 0


def killed_night(root: str) -> int:
    """Two nights, and one that was killed after its first commit."""
    two_nights(root)
    publish.settle = lambda *_: os._exit(0)
    return night(root, "2", "3")


def asked_to_forget(root: str) -> int:
    two_nights(root)
    (Path(root) / "ids").write_text(f"id-{day(1)}\n")
    return 0


def repair(root: str) -> int:
    """Do what the next start does first."""
    warehouse_of(root).repair()
    return 0


def check(root: str, before: str, steps: str) -> int:
    """Check that readers see what was there before, or that and the first so many of some steps.

    Args:
        root: The folder.
        before: JSON: the run of each day, from `seen`.
        steps: JSON: the days of each night that may have been published since, as numbers.
    """
    shown = seen(root)
    known = json.loads(before)
    nights = [[str(day(number)) for number in numbers] for numbers in json.loads(steps)]
    assert any(is_shown(shown, known, nights[:count]) for count in range(len(nights) + 1)), (known, nights, shown)
    return 0


def is_shown(shown: dict[str, str], before: dict[str, str], nights: list[list[str]]) -> bool:
    """Tell whether each date shows the last of some nights that has it, or what was there before."""
    last = {of_day: number for number, days in enumerate(nights) for of_day in days}
    runs = {number: shown.get(of_day) for of_day, number in last.items()}
    return shown == before | {of_day: runs[number] for of_day, number in last.items()}


def seen(root: str) -> dict[str, str]:
    """Return the run that readers of the release see on each day, the same in all tables."""
    warehouse = warehouse_of(root)
    if warehouse.release() is None:
        return {}
    shown = {table: set(rows) for table, rows in shown_rows(warehouse).items()}
    is_some_forgotten = (Path(root) / "ids").exists()
    assert shown[LABELS] == shown[DAILY] or (is_some_forgotten and shown[LABELS] < shown[DAILY]), shown
    assert shown[QUARANTINE] in (shown[LABELS], set()), shown
    return {str(of_day): run for of_day, run in sorted(shown[DAILY])}


def print_seen(root: str) -> int:
    print(json.dumps(seen(root)))
    return 0


def check_end(root: str) -> int:
    """Check that nothing is left behind, that aggregates are what they always are, and that `runs` is complete."""
    warehouse = warehouse_of(root)
    shown = seen(root)
    release = warehouse.release()
    assert release is not None
    daily = DeltaTable(warehouse.address(DAILY), version=release.versions[DAILY]).to_pyarrow_table()
    found = {row["event_date"]: (row["feedback_count"], row["mean_probability"]) for row in daily.to_pylist()}
    assert found == {of_day: (of_day.day, of_day.day / 64) for of_day in found}
    assert set(found) >= {day(0)}
    runs = {row["run_id"]: row["outcome"] for row in list_runs(warehouse)}
    nights_shown = {run for run in shown.values() if run.count("-") == 1}
    assert {run: runs.get(run) for run in nights_shown} == dict.fromkeys(nights_shown, "published")
    check_nothing_of_a_night_is_left(root)
    assert maintain(root, "vacuum") == 0
    assert not leftovers(root)
    return 0


def check_nothing_of_a_night_is_left(root: str) -> None:
    left = [file for file in leftovers(root) if "/_staging/" in file or "/data/" in file]
    assert not left, left


def leftovers(root: str) -> list[str]:
    """Return the files that no version of a table lists, and what lies in the staging folder.

    Commits that were not made, and files of a table's root, go by the next vacuum; no night's texts are in them.
    """
    warehouse = warehouse_of(root)
    left = [str(path) for path in (Path(root) / "w/_staging").rglob("*")]
    for table in TABLES:
        place = Path(warehouse.address(table))
        versions = range(warehouse.version(table) + 1)
        listed = {path for version in versions for path in DeltaTable(place, version=version).file_uris()}
        for path in place.rglob("*"):
            of_log = "_delta_log" in path.parts
            data = path.with_name(path.name.removeprefix(".").removesuffix(".crc"))  # Hadoop's checksum goes with it
            is_known = path.suffix in (".json", ".parquet", "") if of_log else str(data) in listed
            if path.is_file() and not is_known:
                left.append(str(path))
    return left


def cut_power(root: str, synced: str, since: str, how: str) -> int:
    """Do to the files that changed since a moment, but for those that were forced to the disk, what a power cut does.

    The machine is another one afterwards, as its boot id tells.
    """
    safe = set(Path(synced).read_text().splitlines()) if Path(synced).exists() else set()
    for path in Path(root).rglob("*"):
        if not path.is_file():
            continue
        found = path.stat()
        if found.st_mtime_ns < int(since) or f"{found.st_ino} {found.st_mtime_ns}" in safe:
            continue
        content = path.read_bytes()
        if how == "vanish":
            path.unlink()
        else:
            path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "zeros": bytes(len(content))}[how])
    for mark in Path(root).glob("w/_staging/*/_driver.json"):
        try:
            facts = json.loads(mark.read_text())
        except ValueError:
            continue
        mark.write_text(json.dumps(facts | {"boot": "another"}))
    return 0
