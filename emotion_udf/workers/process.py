"""A classifier in a process of its own: what ends that process does not end the worker that asks it."""

import ctypes
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import perf_counter
from traceback import extract_tb
from typing import Any, Final

from emotion_udf.classifier.scores import Scores
from emotion_udf.errors import EmotionUdfError, WorkerError
from emotion_udf.workers.report import TaskReport
from emotion_udf.workers.spec import WorkerSpec
from emotion_udf.workers.watchdog import start_watchdog

_PLAIN_TEXT: Final = "i feel fine"
_PR_SET_PDEATHSIG: Final = 1


class UnscorableError(Exception):
    """Some texts got no scores: the process ended or hung over them, or the model raised an error."""


def unscorable(error: BaseException) -> UnscorableError:
    """Say of a foreign error what it is and where it arose, and nothing more: it may quote a text."""
    place = extract_tb(error.__traceback__)[-1]
    return UnscorableError(f"{type(error).__name__} arose in {place.filename}, line {place.lineno}")


class ScoringProcess:
    """Scores texts, and starts its process anew after one has ended. Close it when done.

    Args:
        spec: The classifier.
        gpus: The GPU addresses of the running task.
        report: Is told of each process that has loaded the model.
    """

    def __init__(self, spec: WorkerSpec, gpus: tuple[str, ...], report: TaskReport) -> None:
        self._spec = spec
        self._gpus = gpus
        self._report = report
        self._running: _Running | None = None
        self.engine_name = ""

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts as `Classifier.score` does.

        Raises:
            UnscorableError: The process ended or hung, or the model raised an error.
            WorkerError: It ends before any of them: when the model is loaded, or over a plain sentence.
            EmotionUdfError: The model or the device cannot be used.
        """
        if self._running is None:
            self._running = self._start()
        try:
            return self._running.score(texts)
        except UnscorableError:
            if not self._running.process.is_alive():
                self.close()
            raise

    def close(self) -> None:
        """End the process, if there is one."""
        if self._running:
            self._running.end()
            self._running = None

    def _start(self) -> "_Running":
        """Start the process, and make sure that it can score at all: what ends it from then on are the texts."""
        started = perf_counter()
        running = _Running.start(self._spec, self._gpus)
        try:
            self.engine_name, opening_s = running.receive()
            self._report.loaded(perf_counter() - started, opening_s)
            running.score([_PLAIN_TEXT])
        except UnscorableError as error:
            running.end()
            raise WorkerError(
                "expected a worker that loads the model and scores a plain sentence, found one that does not: "
                f"{error}; look at the memory that a worker has and at the libraries of its Python"
            ) from error
        except EmotionUdfError:
            running.end()
            raise
        return running


@dataclass(frozen=True)
class _Running:
    process: BaseProcess
    connection: Connection
    answer_s: float

    @classmethod
    def start(cls, spec: WorkerSpec, gpus: tuple[str, ...]) -> "_Running":
        context = get_context("spawn")  # a fork could not use CUDA, and would keep the connection to Spark open
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, spec, gpus), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours, spec.answer_s)

    def score(self, texts: Sequence[str]) -> Scores:
        try:
            self.connection.send(list(texts))
        except OSError as error:
            raise self._ended() from error
        if not self.connection.poll(self.answer_s):
            self.process.kill()
            self.process.join()
            raise UnscorableError(f"the process gave no answer in {self.answer_s:.0f} s")
        scores: Scores = self.receive()
        return scores

    def receive(self) -> Any:
        try:
            answer = self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _ended(self) -> UnscorableError:
        self.process.join()
        code = self.process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return UnscorableError(f"the process ended by {how}")


def _serve(connection: Connection, spec: WorkerSpec, gpus: tuple[str, ...]) -> None:
    """Answer each list of texts with its scores, or with an error, until nobody asks any more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    start_watchdog(spec.stopped_s)
    with suppress(EOFError, OSError):
        classifier = _attempt(partial(spec.load, gpus))
        is_loaded = not isinstance(classifier, Exception)
        connection.send((classifier.engine_name, classifier.opening_s) if is_loaded else classifier)
        while True:
            texts = connection.recv()
            connection.send(_attempt(partial(classifier.score, texts)))


def _attempt(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or an error to send."""
    try:
        return call()
    except EmotionUdfError as error:
        return error
    except BaseException as error:  # a panic of the tokenizer's Rust is no Exception
        return unscorable(error)
