"""Texts that do harm to the process that reads them, as a fault in a library would."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from torch import Tensor

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.engine import Engine
from emotion_udf.classifier.packing import TokenRows
from emotion_udf.classifier.tokenizer import MessageTokenizer, Tokens
from emotion_udf.workers.spec import WorkerSpec


def _kill(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _fail(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


POISONS: Final[dict[str, Callable[[], None]]] = {
    "poison-segv": _kill(signal.SIGSEGV),
    "poison-kill": _kill(signal.SIGKILL),  # as the kernel does where memory is short
    "poison-stop": _kill(signal.SIGSTOP),
    "poison-exit": lambda: os._exit(3),
    "poison-hang": lambda: time.sleep(3_600),
    "poison-raise": _fail(RuntimeError("the text of a customer")),
    "poison-memory": _fail(MemoryError()),
    "poison-panic": _fail(BaseException("the text of a customer")),  # as the tokenizer's Rust does
}
"""Words, and what happens when a text that holds one is tokenised."""


class PoisonedSpec(WorkerSpec):
    """A spec whose classifier takes harm; workers get it in `WorkerSpec`'s place."""

    def load(self, gpus: tuple[str, ...]) -> Classifier:
        classifier = super().load(gpus)
        return replace(classifier, tokenizer=PoisonedTokenizer(classifier.tokenizer))


class BrokenSpec(WorkerSpec):
    """A spec that ends every process that loads its classifier."""

    def load(self, gpus: tuple[str, ...]) -> Classifier:  # noqa: ARG002
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError("unreachable")


@dataclass(frozen=True)
class SlowSpec(WorkerSpec):
    """A spec whose classifier takes its time over each batch, of which a window has a few.

    Attributes:
        loads: A file that gets the number of each process that loads it, one a line.
    """

    loads: str = ""

    def load(self, gpus: tuple[str, ...]) -> Classifier:
        classifier = super().load(gpus)
        with open(self.loads, "a", encoding="utf-8") as loads:
            loads.write(f"{os.getpid()}\n")
        return replace(classifier, engine=SlowEngine(classifier.engine), token_budget=32, window_tokens=96)


class SlowEngine:
    """The classifier's own, slowed down."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = "slow"

    def probabilities(self, rows: TokenRows) -> Tensor:
        time.sleep(0.25)
        return self.engine.probabilities(rows)


class PoisonedTokenizer(MessageTokenizer):
    """The classifier's own, behind a taster."""

    def __init__(self, good: MessageTokenizer) -> None:
        vars(self).update(vars(good))

    def encode(self, texts: Sequence[str]) -> Tokens:
        for text in texts:
            for poison, harm in POISONS.items():
                if poison in text:
                    harm()
        return super().encode(texts)
