"""Whether what is fast on a device also says what fp32 says there."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.gpu.record import Found
from benchmarks.gpu.told import tell_attention, tell_parity
from benchmarks.parity import Pair, accuracy, agreement, read_labelled
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.attention import GroupedAttention, VarlenAttention, attend_for
from emotion_udf.classifier.classifier import TOKEN_BUDGETS
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.classifier.packing import find_groups
from emotion_udf.classifier.precision import DTYPES

# Of values around 1: a few steps of the type's own resolution.
_ATTENTION_TOLERANCE: Final = {"bf16": 2e-2, "fp16": 4e-3, "fp32": 1e-5}


@torch.inference_mode()
def check_attention(device: str, precision: str, heads: int = 12, size: int = 64) -> Found:
    """Compare the attention that a batch gets on this device with fp32 in runs of equal length.

    Args:
        device: A torch device.
        precision: Of queries, keys and values.
        heads: Attention heads.
        size: Width of a head.
    """
    generator = torch.Generator().manual_seed(0)
    runs = find_groups(sorted(torch.randint(1, 64, (300,), generator=generator).tolist(), reverse=True))
    first = torch.tensor([run.start + row * run.length for run in runs for row in range(run.rows)])
    qkv = torch.randn(runs[-1].span.stop, 3 * heads * size, generator=generator).to(device, DTYPES[precision])
    # As in the network: three views of one product, not three tensors.
    q, k, v = (part.view(len(part), heads, size) for part in qkv.chunk(3, dim=1))
    attend, in_runs = attend_for(runs, q, 0.0), GroupedAttention(runs)
    errors = {}
    for name, queries in (("all", q), ("first", q[first.to(device)])):
        exact = in_runs(queries.float(), k.float(), v.float())
        errors[name] = float((attend(queries, k, v).float() - exact).abs().max())
        errors[f"{name}_in_runs"] = float((in_runs(queries, k, v).float() - exact).abs().max())
    tolerance = _ATTENTION_TOLERANCE[precision]
    figures = {
        "unpadded": isinstance(attend, VarlenAttention),
        "largest_errors": errors,
        "holds": max(errors["all"], errors["first"]) <= tolerance,  # false for NaN
    }
    return Found(figures, tell_attention(figures), f"at most {tolerance:.0e}")


def check_parity(device: str, precision: str, texts: Sequence[str], labelled: Path) -> Found:
    """Compare the bundled classifier with itself in fp32, on the same device.

    Args:
        device: A torch device.
        precision: Of the engine in question.
        texts: Messages.
        labelled: Sentences with their labels; left out on a CPU, and where there is no such file.
    """
    artifact = open_artifact(ArtifactSource())
    engine = TorchEngine(artifact, device, DTYPES[precision])
    pair = Pair(artifact, TorchEngine(artifact, device), engine, TOKEN_BUDGETS[torch.device(device).type])
    messages = agreement(pair, texts)
    figures: dict[str, Any] = {"messages": asdict(messages), "holds": messages.holds}
    if device != "cpu" and labelled.is_file():
        right = accuracy(pair, read_labelled(labelled))
        figures |= {"labelled": asdict(right), "holds": messages.holds and right.holds}
    return Found(figures, tell_parity(figures), "99.5 %, 0.05, 0.2 points")
