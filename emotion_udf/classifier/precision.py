"""Choose the numeric type of matrix products, for scoring and for training."""

import torch

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.cpu.int16 import can_use_int16, require_int16
from emotion_udf.classifier.device import Precision, TrainingPrecision
from emotion_udf.errors import DeviceError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int16": torch.int16}


def choose_precision(wanted: Precision, device: torch.device, config: ModelConfig) -> torch.dtype:
    """Return the type for scoring with a network.

    `auto` is the fastest type of the device: bf16 where it has instructions for it, fp16 on an older GPU, int16 on a
    CPU that has AVX2 and no AVX-512, or AVX-512 with VNNI (there twice as fast as fp32; without VNNI that is not
    measured on a CPU of this kind), else fp32. Emulated bf16 was nine times slower.

    Args:
        wanted: A type, or `auto`.
        device: The device to score on.
        config: The sizes of the network; int16 needs widths in multiples of 16.

    Raises:
        DeviceError: fp16 is wanted on a CPU, or int16 on a GPU or where one of its requirements is missing.
    """
    if wanted == "int16":
        require_int16(device.type, config)
        return torch.int16
    chosen = choose_training_precision(wanted, device)
    if wanted == "auto" and device.type == "cpu" and chosen is torch.float32 and _is_faster_in_int16():
        return torch.int16 if can_use_int16(config) else chosen
    return chosen


def choose_training_precision(wanted: TrainingPrecision, device: torch.device) -> torch.dtype:
    """Return the type for training; `auto` is bf16 where the device has instructions for it, fp16 on an older GPU.

    Raises:
        DeviceError: fp16 is wanted on a CPU.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise DeviceError("precision = 'fp16' expects a GPU, found a CPU; choose bf16, fp32 or auto")
    if wanted != "auto":
        return DTYPES[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if _cpu_has_bf16() else torch.float32


def name_of(dtype: torch.dtype) -> str:
    """Return the name of a type in the settings."""
    return next(name for name, known in DTYPES.items() if known is dtype)


def _is_faster_in_int16() -> bool:
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_vnni") or not has.get("avx512_f"))


def _cpu_has_bf16() -> bool:
    has = torch.cpu.get_capabilities()
    return bool(has.get("amx_bf16") or has.get("avx512_bf16"))
