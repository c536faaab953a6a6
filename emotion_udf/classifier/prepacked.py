"""Linear layers whose weights lie as oneDNN's kernels want them, with what follows the product fused to it.

They are what torch's own compiler puts in the place of `nn.Linear` on a CPU. Here no compiler has to run in a worker.
"""

import torch
from torch import Tensor, nn

from emotion_udf.classifier.distilbert import DistilBert


class PrepackedLinear(nn.Module):
    """A linear layer for inference on a CPU.

    Args:
        linear: The layer to take the place of, in fp32 or bf16.
        activation: `none` or `gelu`, computed on the product while it is in a register.
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self._bias = linear.bias.detach()
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map (T, inputs) to (T, outputs)."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, self._activation, [], "none" if self._activation == "gelu" else ""
        )
        return out


def can_prepack(dtype: torch.dtype) -> bool:
    """Tell whether oneDNN packs weights of this type on this machine."""
    if dtype not in (torch.float32, torch.bfloat16) or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return dtype is torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def prepack(network: DistilBert) -> None:
    """Prepack the layers of a network for inference, in place; the last block takes its weights apart and stays."""
    for block in network.blocks[:-1]:
        for owner, name, activation in (
            (block.attention, "qkv", "none"),
            (block.attention, "out", "none"),
            (block, "expand", "gelu"),
            (block, "contract", "none"),
        ):
            setattr(owner, name, PrepackedLinear(getattr(owner, name), activation))
        block.gelu = nn.Identity()  # it is in `expand` now
