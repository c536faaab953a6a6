"""Each way to use the nightly job wrongly: its exit code, and one message that helps."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_udf.jobs.score_feedback import main
from tests.helpers.facts import unstated
from tests.helpers.jobs import Submit, run_main
from tests.helpers.paths import ROOT
from tests.helpers.tweets import tweets_settings

CONFIG = "--config=conf/nightly.toml"
DAY = "--date=2026-10-05"


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        ([DAY], ["--config"]),
        (["--config=nowhere.toml", DAY], ["nowhere.toml"]),
        ([CONFIG], ["--date", "--from", "--to"]),
        ([CONFIG, "--date=5.10.2026"], ["YYYY-MM-DD", "'5.10.2026'"]),
        ([CONFIG, "--date=2026-02-30"], ["YYYY-MM-DD", "'2026-02-30'"]),
        ([CONFIG, DAY, "--from=2026-10-05"], ["--date", "--from", "--to"]),
        ([CONFIG, DAY, "--last-days=1"], ["--last-days", "--date"]),
        ([CONFIG, "--last-days=0"], ["--last-days", "from 1 to 366", "'0'"]),
        ([CONFIG, "--from=2026-10-06", "--to=2026-10-05"], ["--from", "--to", "2026-10-06", "2026-10-05"]),
        ([CONFIG, DAY, "--set=input.pth=x"], ["input.pth", "input.path"]),
        ([CONFIG, DAY, "--set=classifier.token_budget=many"], ["classifier.token_budget", "integer", "'many'"]),
        ([CONFIG, DAY, "--set=warehouse.format=iceberg"], ["warehouse.format", "'delta'", "'iceberg'"]),
        ([CONFIG, DAY, "--set=nonsense"], ["--set", "'nonsense'"]),
        ([CONFIG, DAY, "--set=warehouse.root=hdfs:/lake/x"], ["hdfs:///folder"]),
        ([CONFIG, DAY, "--set=staging.root=s3a:/lake/x"], ["slashes"]),
        ([CONFIG, DAY, "--set=input.path=~/lake"], ["whole path"]),
        ([CONFIG, DAY, "--set=warehouse.root=/lake/[x]"], ["pattern"]),
        ([CONFIG, DAY, "--set=window.timezone=posix/UTC"], ["IANA"]),
        ([CONFIG, DAY, "--set=warehouse.root=/lake/feedback/tables"], ["warehouse.root", "input.path"]),
        ([CONFIG, DAY, "--set=staging.root=/lake/feedback/x/../scratch"], ["staging.root", "input.path"]),
        ([CONFIG, DAY, "--set=input.path=s3a://me:hunter-2@lake/x"], ["without a password", "me:***@lake"]),
        ([CONFIG, DAY, "--set=warehouse.root=https://lake/x?se=1&sig=hunter-2"], ["pattern", "sig=***"]),
        ([CONFIG, DAY, "--set=input.path=s3a://lake/x?access_key=hunter-2"], ["without a password", "_key=***"]),
        ([CONFIG, DAY, "--set=input.path={password = 'hunter-2'}"], ["input.path", "found a section"]),
        ([CONFIG, DAY, "--set=input.table=s3a://me:hunter-2@lake/x"], ["a name such as lake.feedback", "me:***@lake"]),
        ([CONFIG, DAY, "--nonsense=s3a://me:hunter-2@lake/x"], ["unrecognized", "me:***@lake"]),
        ([CONFIG, DAY, "--set=s3a://me:hunter-2@lake/x"], ["key.path=value", "me:***@lake"]),
        ([CONFIG, DAY, "--force=s3a://me:hunter-2@lake/x"], ["--force", "me:***@lake"]),
        ([CONFIG, DAY, "--set=classifier.revision=[1, 's3a://me:hunter-2@lake']"], ["classifier.revision"]),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], facts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ended = run_main(main, arguments)

    assert ended.code == 2
    assert unstated(["error: ", *facts], ended.output) == []
    assert "Traceback" not in ended.output
    assert "hunter-2" not in ended.output


def test_help_explains_settings_and_exit_codes() -> None:
    ended = run_main(main, ["--help"])

    assert ended.code == 0
    for explained in ("--from", "--set", "input.path", "gate.max_quarantined_share", "exit codes:"):
        assert explained in ended.output


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
    ("name", "facts"),
    [
        ("missing", ["missing", "input.path"]),
        ("empty", ["Parquet", "empty"]),
        ("broken.parquet", ["cannot be read", "broken.parquet"]),
        ("no_text.parquet", ["'text'", "input.columns.text", "string"]),
        ("renamed.parquet", ["'text'", "Text string"]),
        ("number.parquet", ["'text'", "input.columns.text", "string", "bigint"]),
        ("string_time.parquet", ["'created_at'", "input.columns.created_at", "timestamp"]),
    ],
)
def test_input_that_breaks_its_contract_ends_with_3(
    name: str, facts: list[str], bad_inputs: Path, tmp_path: Path, score_feedback: Submit
) -> None:
    ended = score_feedback(*tweets_settings(bad_inputs / name, tmp_path / "out"), DAY)

    assert ended.code == 3
    assert unstated(["error: ", *facts], ended.output) == []
    assert "Traceback" not in ended.output
    assert "private words" not in ended.output


@pytest.mark.slow
def test_a_failing_worker_ends_with_its_code_and_one_message(
    spark_submit: Submit, tweets: Path, tmp_path: Path
) -> None:
    cuda = [*tweets_settings(tweets, tmp_path), DAY, "--set=classifier.device=cuda"]
    ended = spark_submit(*cuda, master="local[1,1]")  # one try: it would fail each time

    assert ended.code == 2
    assert "error: classifier.device = 'cuda'" in ended.output
    assert "found none" in ended.output
    assert "Traceback" not in ended.output
    assert "\tat org.apache.spark" not in ended.output
    assert not list(tmp_path.glob("emotion_*/_delta_log"))
