"""What is measured: the goals, the settings that are tried on a GPU, and tiny ones for a machine without."""

from dataclasses import dataclass
from typing import Final

from benchmarks.inputs import Sizes

GOAL_ROWS_PER_SECOND: Final = 150_000
GOAL_SHARE_OF_MATRIX_RATE: Final = 0.45
PUBLISHED_ROWS_PER_SECOND: Final = 1_144
"""What the card of the published model reports of its evaluation."""


@dataclass(frozen=True)
class Plan:
    """What is measured on a kind of device.

    Args:
        device: The torch device.
        rows: Texts of one timed repetition.
        sizes: Of the network that `--model base` means.
        precisions: What weights are kept in.
        token_budgets: Tokens of a batch.
        windows: Texts that are tokenised at a time; the first goes with all budgets, the others with the best.
        compiled: Which parts of the network to compile, one after the other.
        parity_rows: Messages to compare with fp32.
        linear_tokens: Rows of the linear layer that gives the ceiling.
        square: Rows and columns of the square product.
    """

    device: str
    rows: int
    sizes: Sizes
    precisions: tuple[str, ...]
    token_budgets: tuple[int, ...]
    windows: tuple[int, ...]
    compiled: tuple[str, ...]
    parity_rows: int
    linear_tokens: int
    square: int

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device != "cpu"


ON_GPU: Final = Plan(
    device="cuda:0",
    rows=200_000,
    sizes=Sizes(),
    precisions=("bf16", "fp16"),
    token_budgets=(65_536, 16_384, 131_072, 262_144),
    windows=(10_000, 5_000, 20_000, 50_000),
    compiled=("feed-forward", "blocks"),
    parity_rows=20_000,
    linear_tokens=65_536,
    square=8_192,
)
TINY: Final = Plan(
    device="cpu",
    rows=200,
    sizes=Sizes(dim=64, hidden_dim=128, n_heads=4, n_layers=2),
    precisions=("fp32", "bf16"),
    token_budgets=(1_024, 256),
    windows=(100, 50),
    # With attention in runs, whole blocks would be compiled anew for every batch.
    compiled=("feed-forward",),
    parity_rows=20,
    linear_tokens=64,
    square=128,
)


@dataclass(frozen=True)
class Setting:
    """How texts are scored.

    Args:
        precision: Of the engine.
        token_budget: Tokens of a batch.
        window: Texts that are tokenised at a time.
        compiled: The part of the network that torch compiles; none where it is empty.
    """

    precision: str
    token_budget: int
    window: int
    compiled: str = ""

    def __str__(self) -> str:
        way = f"compiled {self.compiled}" if self.compiled else "eager"
        return f"score {self.precision} {self.token_budget:,} tokens, {self.window:,} rows, {way}"
