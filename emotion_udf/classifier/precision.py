"""What matrix products are computed in."""

import torch

from emotion_udf.classifier.device import Precision
from emotion_udf.errors import DeviceError

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """Return the type that `wanted` means on a device.

    `auto` is bf16 where the device computes in it, fp16 on an older GPU, and fp32 on a CPU without bf16 instructions:
    there, emulated bf16 was nine times slower than fp32.

    Raises:
        DeviceError: fp16 is wanted on a CPU.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise DeviceError("precision = 'fp16' expects a GPU, found a CPU; choose bf16, fp32 or auto")
    if wanted != "auto":
        return TYPES[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if _cpu_computes_in_bf16() else torch.float32


def name_of(dtype: torch.dtype) -> str:
    """Return the name that settings have for a type."""
    return next(name for name, kind in TYPES.items() if kind is dtype)


def _cpu_computes_in_bf16() -> bool:
    has = torch.cpu.get_capabilities()
    return bool(has.get("amx_bf16") or has.get("avx512_bf16"))
