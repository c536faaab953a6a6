"""What the matrix products of training are computed in."""

import torch

from emotion_udf.errors import DeviceError
from emotion_udf.settings import Precision

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """Return the type that `wanted` means on a device.

    `auto` is bf16 where the device computes in it, fp16 on an older GPU, and fp32 on a CPU without bf16 instructions:
    there, emulated bf16 was nine times slower than fp32.

    Raises:
        DeviceError: fp16 is wanted on a CPU.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise DeviceError("optimiser.precision = 'fp16' expects a GPU, found a CPU; choose bf16, fp32 or auto")
    if wanted != "auto":
        return _TYPES[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    has = torch.cpu.get_capabilities()
    return torch.bfloat16 if has.get("amx_bf16") or has.get("avx512_bf16") else torch.float32
