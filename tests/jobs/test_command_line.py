import subprocess
import sys
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from emotion_udf import __version__
from emotion_udf.errors import (
    DeviceError,
    EmotionUdfError,
    GateError,
    InputError,
    ModelError,
    UsageError,
    WindowHeldError,
)
from emotion_udf.jobs.command_line import JobParser, SettingsParser, exit_code_of
from emotion_udf.settings.describe import describe_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.settings.training import TrainSettings
from tests.helpers.facts import unstated
from tests.helpers.paths import ROOT

SECRET = "i hate my neighbour"  # noqa: S105


def ending_with(error: BaseException) -> Callable[[], None]:
    def job() -> None:
        raise error

    return job


class SparkLikeError(Exception):
    """Spark's errors name their condition."""

    def getCondition(self) -> str:  # noqa: N802
        return "FAILED_READ_FILE"


def test_a_job_that_ends_well_is_0_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: None, debug=False) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (EmotionUdfError, 1),
        (UsageError, 2),
        (ModelError, 2),
        (DeviceError, 2),
        (InputError, 3),
        (GateError, 4),
        (WindowHeldError, 5),
    ],
)
def test_our_errors_are_one_message_and_their_code(
    kind: type[EmotionUdfError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(ending_with(kind("expected this, found that")), debug=False) == code
    assert capsys.readouterr() == ("", "error: expected this, found that\n")


def test_of_a_foreign_error_only_the_name_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(ending_with(ValueError(SECRET)), debug=False) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert unstated(["error: ", "ValueError", "--debug"], line) == []
    assert SECRET not in line


def test_of_an_error_of_spark_the_condition_is_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(ending_with(SparkLikeError(SECRET)), debug=False) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert unstated(["error: ", "SparkLikeError", "FAILED_READ_FILE", "--debug"], line) == []
    assert SECRET not in line


def test_an_interruption_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(ending_with(KeyboardInterrupt()), debug=False) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: interrupted")


@pytest.mark.parametrize("error", [ValueError(SECRET), InputError("expected this, found that")])
def test_debug_shows_the_trace(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(ending_with(error), debug=True)
    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert str(error) in shown


@pytest.mark.parametrize("settings", [NightSettings, TrainSettings])
def test_help_lists_every_setting_and_exit_code(settings: type[BaseModel]) -> None:
    shown = SettingsParser("Do a job.", settings, "conf/job.toml").format_help()
    for path, meaning in describe_settings(settings):
        assert f"\n  {path}\n      {meaning}" in shown
    assert "settings, such as conf/job.toml" in shown
    for code in ("0 done", "1 unexpected error", "2 usage", "3 input", "4 a gate refused", "5 another run"):
        assert code in shown


def test_a_job_without_a_settings_file_explains_itself_too() -> None:
    shown = JobParser("Do a job.", "written: a file\n\n").format_help()
    assert "written: a file\n\nexit codes:\n" in shown
    assert "--debug" in shown
    assert "--config" not in shown
    assert JobParser("Do a job.").parse_args([]).debug is False


def test_options_are_parsed() -> None:
    parser = SettingsParser("Do a job.", NightSettings, "conf/nightly.toml")
    options = parser.parse_args(["--config", "a.toml", "--set", "a.b=c", "--set", "d=e f", "--debug"])
    assert (str(options.config), options.overrides, options.debug) == ("a.toml", ["a.b=c", "d=e f"], True)
    options = parser.parse_args(["--config", "a.toml"])
    assert (options.overrides, options.debug) == ([], False)


@pytest.mark.parametrize("arguments", [[], ["--config"], ["--config", "a.toml", "--no-such-option"]])
def test_a_wrong_command_line_is_the_usage_code(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        SettingsParser("Do a job.", NightSettings, "conf/nightly.toml").parse_args(arguments)
    assert caught.value.code == UsageError.exit_code


@pytest.mark.parametrize(
    ("option", "printed"), [("--version", f"emotion-udf {__version__}"), ("--examples", str(ROOT / "conf"))]
)
def test_version_and_examples_are_printed_whole(option: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        SettingsParser("Do a job.", NightSettings, "conf/nightly.toml").parse_args([option])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{printed}\n"


def test_log_lines_are_in_utc_on_standard_error() -> None:
    script = (
        "import logging\n"
        "from emotion_udf.jobs.command_line import log_to_stderr\n"
        "log_to_stderr(debug=False)\n"
        "record = logging.makeLogRecord({'name': 'emotion_udf.x', 'levelno': 20, 'levelname': 'INFO', "
        "'msg': 'step=read', 'created': 1.5, 'msecs': 500})\n"
        "logging.getLogger().handle(record)\n"
        "logging.getLogger('emotion_udf.x').debug('hidden')\n"
        "logging.getLogger('py4j.clientserver').info('hidden')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"TZ": "Asia/Tokyo"}
    )
    assert done.stdout == ""
    assert done.stderr == "1970-01-01T00:00:01.500Z INFO emotion_udf.x step=read\n"


@pytest.mark.parametrize(("debug", "shown"), [(False, ["ours"]), (True, ["theirs", "ours"])])
def test_stack_traces_of_py4j_are_for_debugging(debug: bool, shown: list[str]) -> None:
    script = (
        "import logging\n"
        "from emotion_udf.jobs.command_line import log_to_stderr\n"
        f"log_to_stderr({debug})\n"
        "for path, said in (('/lib/py4j/java_gateway.py', 'theirs'), ('/lib/x.py', 'ours')):\n"
        "    logging.getLogger().handle(logging.LogRecord('root', logging.ERROR, path, 1, said, (), None))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [line.rpartition(" ")[2] for line in done.stderr.splitlines()] == shown


def test_a_job_that_is_ended_by_its_scheduler_cleans_up_first() -> None:
    script = (
        "import sys, time\n"
        "from emotion_udf.jobs.command_line import exit_code_of\n"
        "def job():\n"
        "    try:\n"
        "        print('started', flush=True)\n"
        "        time.sleep(600)\n"
        "    finally:\n"
        "        print('cleaned up', flush=True)\n"
        "sys.exit(exit_code_of(job, False))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.terminate()
        assert process.stdout.read() == "cleaned up\n"
    assert process.returncode == 1


def test_a_job_ends_with_its_code_whatever_the_interpreter_does_at_its_end() -> None:
    script = (
        "import atexit, os, threading, time\n"
        "from emotion_udf.jobs.command_line import end_process\n"
        "atexit.register(os.abort)\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "print('printed')\n"
        "end_process(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "printed\n")


def test_a_storage_that_refuses_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(ending_with(OSError(28, "No space left on device", "/lake/w")), debug=False) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: expected a storage that takes and gives files, found no space left at /lake/w; make")


class PanicError(BaseException):
    """As delta-rs raises where its own code fails."""


def test_a_panic_is_an_unexpected_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(ending_with(PanicError(SECRET)), debug=False) == 1
    assert capsys.readouterr().err.startswith("error: unexpected PanicError; run again with --debug")
