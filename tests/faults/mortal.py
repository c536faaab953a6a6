"""Processes that can be killed at any call, forked from one that has imported everything, so that each starts at once.

`Mortals` starts this file with `killpoint.c` preloaded. It reads a request a line, forks a process with a group of its
own that calls the function, and answers with how that ended.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.faults import scenes
from tests.helpers.paths import ROOT


@dataclass(frozen=True)
class Fate:
    """How a process ended: its exit code, or minus the number of its signal; and what it said."""

    code: int
    output: str


class Mortals:
    """Calls functions of `scenes` in processes of their own.

    Args:
        killpoint: The library that kills.
    """

    def __init__(self, killpoint: Path) -> None:
        self.environment = os.environ | {"LD_PRELOAD": str(killpoint)}

    def __enter__(self) -> "Mortals":
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.mortal"],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.parent.stdin is not None
        self.parent.stdin.close()
        self.parent.wait(60)
        assert self.parent.stdout is not None
        self.parent.stdout.close()

    def call(self, function: Callable[..., int], *arguments: str, **kill: str) -> Fate:
        """Call a function of `scenes`; `kill` is what `killpoint.c` reads."""
        (fate,) = self.call_at_once(function, [arguments], **kill)
        return fate

    def call_at_once(
        self, function: Callable[..., int], arguments: Sequence[tuple[str, ...]], **environment: str
    ) -> list[Fate]:
        """Call a function of `scenes` with several arguments, in as many processes, and wait for all."""
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        print(json.dumps([function.__name__, arguments, environment]), file=self.parent.stdin, flush=True)
        return [Fate(*fate) for fate in json.loads(self.parent.stdout.readline())]


def main() -> None:
    for line in sys.stdin:
        name, arguments, environment = json.loads(line)
        with ExitStack() as stack:
            outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in arguments]
            children = [
                _fork(output.fileno(), getattr(scenes, name), own, environment)
                for output, own in zip(outputs, arguments, strict=True)
            ]
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            for output in outputs:
                output.seek(0)
            said = [output.read().decode(errors="replace") for output in outputs]
            print(json.dumps(list(zip(codes, said, strict=True))), flush=True)


def _fork(output: int, function: Callable[..., int], arguments: list[Any], environment: dict[str, str]) -> int:
    child = os.fork()
    if child == 0:
        _live(output, function, arguments, environment)
    return child


def _live(output: int, function: Callable[..., int], arguments: list[Any], kill: dict[str, str]) -> None:
    """Be the process that is forked."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 99
    try:
        os.environ.update(kill)
        code = function(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        for name in kill:
            del os.environ[name]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
