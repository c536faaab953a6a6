"""The common part of the jobs' command lines: `--config`, `--set`, `--debug`, errors as messages, and exit codes."""

import argparse
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel

from emotion_udf import __version__
from emotion_udf.errors import EmotionUdfError, UsageError
from emotion_udf.masking import masked, printable
from emotion_udf.refusals import refusal_of
from emotion_udf.settings.describe import describe_settings
from emotion_udf.settings.examples import examples_folder
from emotion_udf.window import Window, last_days, make_window

_EXIT_CODES = """\
exit codes:
  0 done   1 unexpected error   2 usage or settings   3 input does not meet its contract
  4 a gate refused, nothing was published   5 another run published the same dates meanwhile
"""


class JobParser(argparse.ArgumentParser):
    """A parser with what all jobs have: `--debug`, `--version`, and a help that explains the exit codes.

    Args:
        description: What the job does.
        more_help: What the help says before the exit codes.
        exit_codes: What they mean, where they are others than the nightly job's.
    """

    def __init__(self, description: str, more_help: str = "", exit_codes: str = _EXIT_CODES) -> None:
        super().__init__(
            description=description,
            epilog=more_help + exit_codes,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--debug", action="store_true", help="show stack traces")
        self.add_argument("--version", action="version", version=f"emotion-udf {__version__}")

    def error(self, message: str) -> NoReturn:
        """End with exit code 2 and a message, which quotes what was typed."""
        super().error(printable(masked(message)))


class SettingsParser(JobParser):
    """A parser of a job with a settings file, whose help lists every setting.

    Args:
        description: What the job does.
        settings: The model of its settings file.
        example: A settings file to name in the help.
    """

    def __init__(self, description: str, settings: type[BaseModel], example: str) -> None:
        listed = "\n".join(f"  {path}\n      {meaning}" for path, meaning in describe_settings(settings))
        super().__init__(description, f"settings, in the file or by --set:\n{listed}\n\n")
        self.add_argument("--config", type=Path, required=True, metavar="FILE", help=f"settings, such as {example}")
        self.add_argument(
            "--examples",
            action="version",
            version=str(examples_folder()),
            help="print the folder that holds the example settings, and exit",
        )
        self.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY.PATH=VALUE",
            dest="overrides",
            help="replace one setting; may be given again",
        )


class _EventFormatter(logging.Formatter):
    """One event a line, in UTC, without secrets, and without what a file's name could make a terminal do."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return printable(masked(super().format(record)))


def log_to_stderr(debug: bool) -> None:
    """Log one line an event, in UTC, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _EventFormatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("emotion_udf").setLevel(logging.DEBUG if debug else logging.INFO)
    # What py4j says of a call that was interrupted, or that found no Java, is stack traces.
    logging.getLogger("py4j").setLevel(logging.WARNING if debug else logging.CRITICAL)
    if not debug:
        handler.addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out what py4j logs by the root logger."""
    return not (record.name == "root" and "py4j" in record.pathname)


def exit_code_of(job: Callable[[], None], debug: bool) -> int:
    """Run a job and turn how it ends into an exit code and, on failure, one message on standard error.

    The text of a foreign error is shown with `--debug` only: it may quote data. SIGTERM is taken as an interruption, so
    that a job which a scheduler ends cleans up and is on record.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        job()
    except SystemExit:
        raise
    except BaseException as error:  # a panic of delta-rs is no Exception
        if debug:
            print(masked(traceback.format_exc()), file=sys.stderr)
        known = known_error(error)
        print(printable(f"error: {known or _message(error)}"), file=sys.stderr)
        return known.exit_code if known else EmotionUdfError.exit_code
    return 0


def known_error(error: BaseException) -> EmotionUdfError | None:
    """Return an error in this project's words; None for one that it knows nothing of."""
    return error if isinstance(error, EmotionUdfError) else refusal_of(error)


def end_process(code: int) -> NoReturn:
    """End this process with a job's exit code, at once.

    The interpreter's own end is left out. Threads of pyarrow that have read a Delta table may still want Python's lock
    during it, and then abort the process: of 300 readers of four tables, 77 ended with 134 in place of 0. Nothing is
    lost: a job has closed its files and stopped Spark by then, and what it printed is flushed here.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def _message(error: BaseException) -> str:
    """Say how a job failed by a foreign error: by no more than its kind."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; nothing more was written"
    condition = getattr(error, "getCondition", lambda: None)()
    kind = f"{type(error).__name__} ({condition})" if condition else type(error).__name__
    return f"unexpected {kind}; run again with --debug to see where"


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what argparse reads an option with: a whole number from `least` on, up to `most`."""
    wanted = f"from {least} on" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"expected a whole number {wanted}, found {text!r}")
        return int(text)

    return read


def add_days(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add the options that name the days of a run."""
    parser.add_argument("--date", metavar="D", help=f"the day to {purpose}, YYYY-MM-DD")
    parser.add_argument("--from", metavar="D", dest="first", help="the first of several days, with --to")
    parser.add_argument("--to", metavar="D", dest="last", help="the last of several days, with --from")
    parser.add_argument(
        "--last-days",
        type=whole_number(1, 366),
        metavar="N",
        help="the last N days before today, for a scheduler that cannot say which day a run is for",
    )


def days_of(options: argparse.Namespace, timezone: str) -> Window:
    """Return the days that these options name.

    Raises:
        UsageError: They name none, or several ways.
    """
    if options.last_days is None:
        return make_window(options.date, options.first, options.last, timezone)
    if options.date is options.first is options.last is None:
        return last_days(options.last_days, timezone, datetime.now(UTC))
    raise UsageError("expected --last-days N alone, found --date, --from or --to with it")


def parse(parser: JobParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line and start logging."""
    parsed = parser.parse_args(arguments)
    log_to_stderr(parsed.debug)
    return parsed
