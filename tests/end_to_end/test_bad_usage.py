"""Every kind of bad usage: its exit code, and one message that helps."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from emotion_udf.jobs.score_feedback import main
from tests.helpers.jobs import submit
from tests.helpers.paths import ROOT

DAY = "--date=2026-10-05"


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run the job in this process; what argparse refuses ends with SystemExit."""
    try:
        code = main(arguments)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([DAY], "the following arguments are required: --config"),
        (["--config=nowhere.toml", DAY], "expected a settings file at nowhere.toml, found none"),
        (["--config=conf/nightly.toml"], "expected --date D, or --from D with --to D"),
        (["--config=conf/nightly.toml", "--date=5.10.2026"], "expected a date as YYYY-MM-DD, found '5.10.2026'"),
        (["--config=conf/nightly.toml", "--date=2026-02-30"], "expected a date as YYYY-MM-DD, found '2026-02-30'"),
        (["--config=conf/nightly.toml", DAY, "--from=2026-10-05"], "found neither or a mixture"),
        (
            ["--config=conf/nightly.toml", "--from=2026-10-06", "--to=2026-10-05"],
            "expected --from to be no later than --to",
        ),
        (
            ["--config=conf/nightly.toml", DAY, "--set=input.pth=x"],
            "input.pth: unknown setting; did you mean input.path?",
        ),
        (
            ["--config=conf/nightly.toml", DAY, "--set=classifier.token_budget=many"],
            "classifier.token_budget: input should be a valid integer, found 'many'",
        ),
        (
            ["--config=conf/nightly.toml", DAY, "--set=warehouse.format=iceberg"],
            "warehouse.format: input should be 'delta', found 'iceberg'",
        ),
        (["--config=conf/nightly.toml", DAY, "--set=warehouse.root=hdfs:/lake/x"], "hdfs:///folder"),
        (["--config=conf/nightly.toml", DAY, "--set=staging.root=s3a:/lake/x"], "slashes are missing"),
        (["--config=conf/nightly.toml", DAY, "--set=input.path=~/lake"], "write the whole path"),
        (["--config=conf/nightly.toml", DAY, "--set=warehouse.root=/lake/[x]"], "which Spark reads as a pattern"),
        (["--config=conf/nightly.toml", DAY, "--set=window.timezone=posix/UTC"], "expected an IANA time zone"),
        (
            ["--config=conf/nightly.toml", DAY, "--set=warehouse.root=/lake/feedback/tables"],
            "expected warehouse.root outside of input.path",
        ),
        (
            ["--config=conf/nightly.toml", DAY, "--set=staging.root=/lake/feedback/x/../scratch"],
            "expected staging.root outside of input.path",
        ),
        (["--config=conf/nightly.toml", DAY, "--set=nonsense"], "expected --set key.path=value, found 'nonsense'"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, err = run(arguments, capsys)

    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_help_explains_settings_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    out = capsys.readouterr().out
    assert ended.value.code == 0
    for explained in ("--from", "--set", "input.path", "gate.max_quarantined_share", "exit codes:"):
        assert explained in out


@pytest.fixture
def session_that_stays(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job stops its session at the end; here the session is that of all tests."""
    monkeypatch.setattr(type(spark), "stop", lambda _: None)


@pytest.fixture
def bad_inputs(tmp_path: Path) -> Path:
    time = pa.array([None], pa.timestamp("us", tz="UTC"))
    text = pa.array(["private words"])
    tables = {
        "no_text": {"id": text, "created_at": time},
        "number": {"id": text, "text": pa.array([1]), "created_at": time},
        "string_time": {"id": text, "text": text, "created_at": text},
        "renamed": {"id": text, "Text": text, "created_at": time},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "found nothing; check input.path"),
        ("empty", "expected Parquet files in"),
        ("broken.parquet", "found 1 that cannot be read"),
        ("no_text.parquet", "expected a column 'text' (input.columns.text, a string), found none"),
        ("renamed.parquet", "columns found: id string, Text string"),
        ("number.parquet", "expected 'text' (input.columns.text) to be a string, found bigint"),
        ("string_time.parquet", "expected 'created_at' (input.columns.created_at) to be a timestamp"),
    ],
)
@pytest.mark.usefixtures("session_that_stays")
def test_input_that_breaks_its_contract_ends_with_3(
    name: str, message: str, bad_inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--config=conf/nightly.toml", DAY, f"--set=warehouse.root={tmp_path / 'out'}"]
    code, err = run([*arguments, f"--set=input.path={bad_inputs / name}"], capsys)

    assert code == 3
    assert message in err
    assert "Traceback" not in err
    assert "private words" not in err


def test_a_failing_worker_ends_with_its_code_and_one_message(data: Path, tmp_path: Path) -> None:
    ended = submit(
        "--config=conf/nightly.toml",
        DAY,
        f"--set=input.path={data / 'tweets.parquet'}",
        f"--set=warehouse.root={tmp_path}",
        "--set=classifier.device=cuda",
    )

    assert ended.code == 2
    assert "error: classifier.device = 'cuda' expects a GPU in every Python worker, found none" in ended.output
    assert "Traceback" not in ended.output
    assert "\tat org.apache.spark" not in ended.output
    assert not (tmp_path / "emotion_labels").exists() or not (tmp_path / "emotion_labels/_delta_log").exists()
