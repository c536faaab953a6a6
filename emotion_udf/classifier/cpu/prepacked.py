"""Linear layers with weights in oneDNN's own layout, and the activation fused to the product.

torch.compile puts the same operators in the place of `nn.Linear` on a CPU; here no compiler has to run in a worker.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from emotion_udf.classifier.distilbert import Block, DistilBert


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
    """Tell whether oneDNN packs weights of a type on this machine."""
    if dtype not in (torch.float32, torch.bfloat16) or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return dtype is torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def prepack(network: DistilBert) -> None:
    """Prepack the layers of a network for inference, in place.

    The last block stays plain: it computes parts of its outputs alone, which packed weights do not allow.
    """
    for block in cast(Sequence[Block], network.blocks[:-1]):
        attention = block.attention
        feed_forward = block.feed_forward
        attention.register_module("qkv", PrepackedLinear(attention.qkv))
        attention.register_module("out", PrepackedLinear(attention.out))
        feed_forward.register_module("expand", PrepackedLinear(feed_forward.expand, "gelu"))
        feed_forward.register_module("gelu", nn.Identity())
        feed_forward.register_module("contract", PrepackedLinear(feed_forward.contract))
