"""What matrix products are computed in."""

import torch

from emotion_udf.classifier.configuration import Configuration
from emotion_udf.classifier.cpu.int16 import can_use_int16, require_int16
from emotion_udf.classifier.device import Precision, TrainingPrecision
from emotion_udf.errors import DeviceError

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int16": torch.int16}


def choose_precision(wanted: Precision, device: torch.device, sizes: Configuration) -> torch.dtype:
    """Return the type that `wanted` means for scoring with a network of these sizes.

    `auto` is what is fastest on the device: bf16 where it has instructions for that, fp16 on an older GPU, int16 on a
    CPU that has AVX2 and no AVX-512 (with that, fp32 is as fast), else fp32. Emulated bf16 was nine times slower.

    Raises:
        DeviceError: fp16 is wanted on a CPU; or int16 on a GPU, or where something is missing that it needs.
    """
    if wanted == "int16":
        require_int16(device.type, sizes)
        return torch.int16
    chosen = choose_training_precision(wanted, device)
    has = torch.cpu.get_capabilities()
    if wanted == "auto" and device.type == "cpu" and chosen is torch.float32 and not has.get("avx512_f"):
        return torch.int16 if can_use_int16(sizes) else chosen
    return chosen


def choose_training_precision(wanted: TrainingPrecision, device: torch.device) -> torch.dtype:
    """Return the type that `wanted` means for training; `auto` is bf16, or fp16, where the device computes in it.

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
