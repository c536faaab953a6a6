import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from emotion_udf.errors import GateError
from emotion_udf.jobs.check_published import main
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.copies import record_run, run_night
from tests.helpers.jobs import Ended, run_main
from tests.helpers.paths import ROOT

D5, D6 = date(2026, 10, 5), date(2026, 10, 6)


@pytest.fixture
def root(tmp_path: Path) -> str:
    warehouse = DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))
    run_night(warehouse, "r1", [D5])
    record_run(warehouse, "r2", [D6], GateError("expected calm, found a storm"))
    return warehouse.root.path


def check(*arguments: str) -> Ended:
    return run_main(main, arguments)


def test_the_exit_code_says_whether_every_day_is_published(root: str) -> None:
    published = check("--warehouse", root, "--date", "2026-10-05")
    assert (published.code, published.err) == (0, "")
    assert published.out.startswith("2026-10-05 is in release 1 of 20")

    missing = check("--warehouse", root, "--from", "2026-10-05", "--to", "2026-10-06")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == (
        "error: expected 2026-10-06 in the newest release, found release 1 without; runs says:\n"
        "  2026-10-06: run r2 of 2026-10-20 02:00:00 UTC ended as refused (4): expected calm, found a storm\n"
    )


def test_the_settings_of_the_night_name_the_tables(root: str) -> None:
    config = f"--config={ROOT / 'conf/nightly.toml'}"
    assert check(config, f"--set=warehouse.root={root}", "--date=2026-10-05").code == 0


@pytest.mark.parametrize(
    ("since", "code"),
    [("2026-10-20T02:00:00", 0), ("2026-10-20T04:00:00+02:00", 0), ("2026-10-20T02:00:01Z", 1), ("yesterday", 2)],
)
def test_a_day_can_be_asked_for_since_a_time(root: str, since: str, code: int) -> None:
    assert check("--warehouse", root, "--date", "2026-10-05", "--since", since).code == code


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--warehouse=/nowhere", "--date=2026-10-05"], "expected the tables of the nightly job below /nowhere"),
        (["--warehouse=/nowhere"], "expected --date D, or --from D with --to D"),
        (["--date=2026-10-05"], "one of the arguments --config --warehouse is required"),
        (
            ["--warehouse=/x", "--set=warehouse.root=/y", "--date=2026-10-05"],
            "expected --set and --last-days together with --config",
        ),
        (["--warehouse=/x", "--last-days=1"], "expected --set and --last-days together with --config"),
    ],
)
def test_wrong_usage_ends_with_two(arguments: list[str], told: str) -> None:
    ended = check(*arguments)
    assert ended.code == 2
    assert told in ended.err


def test_it_looks_for_the_last_days_of_the_settings_zone(root: str) -> None:
    config = f"--config={ROOT / 'conf/nightly.toml'}"
    ended = check(config, f"--set=warehouse.root={root}", "--set=window.timezone=Asia/Tokyo", "--last-days=2")
    today = datetime.now(ZoneInfo("Asia/Tokyo")).date()
    assert ended.code == 1
    assert f"expected {today - timedelta(days=2)}, {today - timedelta(days=1)} in the newest release" in ended.err


def test_it_starts_neither_spark_nor_java(root: str, tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "jobs/check_published.py", "--warehouse", root, "--date", "2026-10-05"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
