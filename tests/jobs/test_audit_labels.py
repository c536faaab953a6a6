"""What the audit refuses before it starts Spark."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from emotion_udf.audit.sheet import write_sheet
from emotion_udf.jobs.audit_labels import main
from emotion_udf.nightly.context import new_run_id
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.staging import staging_folder
from tests.helpers.jobs import Ended, run_main
from tests.helpers.labelled import label_of, publish_labels

D5 = date(2026, 10, 5)


def audit(folder: Path, *arguments: str) -> Ended:
    config = folder / "nightly.toml"
    config.write_text(f'[input]\npath = "{folder}/input"\n[warehouse]\nroot = "{folder}/warehouse"\n')
    return run_main(main, ["--config", str(config), *arguments])


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["draw", "--n", "300"], "--out"),
        (["draw", "--n", "11", "--out", "s.csv"], "expected a whole number from 12 to 10000, found '11'"),
        (["draw", "--n", "10001", "--out", "s.csv"], "expected a whole number"),
        (["draw", "--n", "many", "--out", "s.csv"], "expected a whole number"),
        (["record"], "FILE"),
        ([], "COMMAND"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: list[str], told: str) -> None:
    ended = audit(tmp_path, *arguments)
    assert ended.code == 2
    assert told in ended.err


@pytest.mark.parametrize("command", ["draw --n 12 --out {folder}/t.csv", "record {folder}/s.csv"])
def test_without_a_release_there_is_nothing_to_audit(tmp_path: Path, command: str) -> None:
    write_sheet(tmp_path / "s.csv", "sample-0123456789ab", [(1, "m1", "a text")])
    ended = audit(tmp_path, *command.replace("{folder}", str(tmp_path)).split())
    assert (ended.code, "expected a release below" in ended.err) == (2, True)
    assert not (tmp_path / "warehouse").exists()


def test_tables_of_a_catalog_are_not_audited(tmp_path: Path) -> None:
    catalog = ["--set=warehouse.format=catalog", "--set=warehouse.namespace=lake.emotions"]
    ended = audit(tmp_path, *catalog, "draw", "--n", "12", "--out", str(tmp_path / "s.csv"))
    assert ended.code == 2
    assert 'expected warehouse.format "delta" for emotion-audit, found "catalog"' in ended.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--date", "2026-10-06"], "expected labels of 2026-10-06 in release 1, found none"),
        (["--from", "2026-10-05"], "expected --date D, or --from D with --to D"),
        (["--date", "yesterday"], "expected a date as YYYY-MM-DD"),
    ],
)
def test_days_without_labels_are_told(tmp_path: Path, warehouse: DeltaWarehouse, options: list[str], told: str) -> None:
    publish_labels(warehouse, [label_of(D5, "m1", "joy", "a text")])
    ended = audit(tmp_path, "draw", "--n", "12", "--out", str(tmp_path / "s.csv"), *options)
    assert ended.code == 2
    assert told in ended.err


def test_a_sheet_that_somebody_may_have_filled_stays(tmp_path: Path, warehouse: DeltaWarehouse) -> None:
    publish_labels(warehouse, [label_of(D5, "m1", "joy", "a text")])
    (tmp_path / "s.csv").write_text("filled")
    ended = audit(tmp_path, "draw", "--n", "12", "--out", str(tmp_path / "s.csv"))
    assert (ended.code, (tmp_path / "s.csv").read_text()) == (2, "filled")


def test_a_sample_of_another_warehouse_is_told(tmp_path: Path, warehouse: DeltaWarehouse) -> None:
    publish_labels(warehouse, [label_of(D5, "m1", "joy", "a text")])
    write_sheet(tmp_path / "s.csv", "sample-0123456789ab", [(1, "m1", "a text")])
    ended = audit(tmp_path, "record", str(tmp_path / "s.csv"))
    assert ended.code == 2
    assert "found sample-0123456789ab, which audit_samples does not have" in ended.err


@pytest.mark.parametrize("command", ["draw", "record"])
def test_nothing_is_copied_while_messages_are_forgotten(
    tmp_path: Path, warehouse: DeltaWarehouse, command: str
) -> None:
    publish_labels(warehouse, [label_of(D5, "m1", "joy", "a text")])
    write_sheet(tmp_path / "s.csv", "sample-0123456789ab", [(1, "m1", "a text")])
    arguments = {"draw": ["--n", "12", "--out", str(tmp_path / "t.csv")], "record": [str(tmp_path / "s.csv")]}[command]
    with staging_folder(warehouse.root / "_staging", f"{new_run_id(datetime.now(UTC))}-forget"):
        ended = audit(tmp_path, command, *arguments)
    assert ended.code == 5
    assert "expected no forgetting meanwhile" in ended.err
