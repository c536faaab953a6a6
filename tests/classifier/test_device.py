import pytest

from emotion_udf.classifier.device import Device, choose_device
from emotion_udf.errors import DeviceError


@pytest.mark.parametrize(
    ("wanted", "visible", "assigned", "device"),
    [
        ("cpu", 0, [], "cpu"),
        ("cpu", 4, [], "cpu"),
        ("cpu", 4, ["2"], "cpu"),
        ("auto", 0, [], "cpu"),
        ("auto", 0, ["0"], "cpu"),
        ("auto", 1, [], "cuda:0"),
        ("auto", 4, [], "cuda:0"),
        ("auto", 4, ["2"], "cuda:2"),
        ("auto", 1, ["3"], "cuda:0"),
        ("cuda", 1, [], "cuda:0"),
        ("cuda", 4, ["3"], "cuda:3"),
        ("cuda", 4, ["1", "2"], "cuda:1"),
        ("cuda", 1, ["3"], "cuda:0"),
    ],
)
def test_a_device_is_chosen(wanted: Device, visible: int, assigned: list[str], device: str) -> None:
    assert choose_device(wanted, visible, assigned) == device


@pytest.mark.parametrize("assigned", [[], ["0"]])
def test_a_gpu_asked_for_and_absent_is_an_error(assigned: list[str]) -> None:
    with pytest.raises(DeviceError) as caught:
        choose_device("cuda", 0, assigned)
    assert str(caught.value) == (
        "classifier.device = 'cuda' expects a GPU in every Python worker, found none; run on GPU executors, or set "
        "classifier.device to 'auto' or 'cpu'"
    )


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_an_assigned_gpu_that_cannot_be_seen_is_an_error(wanted: Device) -> None:
    with pytest.raises(DeviceError) as caught:
        choose_device(wanted, 2, ["2"])
    assert str(caught.value) == (
        "Spark assigned GPU 2 to this task, found 2 visible; check spark.executor.resource.gpu.discoveryScript and "
        "CUDA_VISIBLE_DEVICES"
    )


def test_an_address_that_is_no_number_is_an_error_of_ours() -> None:
    with pytest.raises(DeviceError):
        choose_device("cuda", 2, ["GPU-8f6d0f5e"])
