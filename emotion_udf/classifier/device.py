"""Choose the torch device to score on, from the settings and from what Spark assigned."""

from collections.abc import Sequence
from typing import Literal

from emotion_udf.errors import DeviceError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int16"]
TrainingPrecision = Literal["auto", "fp32", "bf16", "fp16"]


def choose_device(wanted: Device, visible_gpus: int, assigned: Sequence[str] = ()) -> str:
    """Return the name of the torch device for a setting.

    Args:
        wanted: `cpu`; `cuda`, which must exist; or `auto`, a GPU where there is one.
        visible_gpus: How many GPUs this process can see.
        assigned: The GPU addresses that Spark gave this task, if it schedules GPUs.

    Raises:
        DeviceError: `cuda` is wanted and no GPU is visible, or Spark assigned an address that is not visible.
    """
    if wanted == "cpu" or (wanted == "auto" and not visible_gpus):
        return "cpu"
    if not visible_gpus:
        raise DeviceError(
            "classifier.device = 'cuda' expects a GPU in every Python worker, found none; "
            "run on GPU executors, or set classifier.device to 'auto' or 'cpu'"
        )
    # A launcher that hides all but the assigned GPU renumbers the one that is left.
    address = assigned[0] if assigned and visible_gpus > 1 else "0"
    if not address.isdecimal() or int(address) >= visible_gpus:
        raise DeviceError(
            f"Spark assigned GPU {address} to this task, found {visible_gpus} visible; "
            "check spark.executor.resource.gpu.discoveryScript and CUDA_VISIBLE_DEVICES"
        )
    return f"cuda:{int(address)}"
