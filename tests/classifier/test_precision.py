from typing import get_args

import pytest
import torch

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.cpu import int16
from emotion_udf.classifier.device import Precision, TrainingPrecision
from emotion_udf.classifier.precision import choose_precision, choose_training_precision
from emotion_udf.errors import DeviceError

CPU, GPU = torch.device("cpu"), torch.device("cuda")
CONFIG = ModelConfig(dim=32, hidden_dim=64, n_heads=4, n_layers=1, vocab_size=9, max_position_embeddings=64)
ODD = ModelConfig(dim=24, hidden_dim=96, n_heads=4, n_layers=1, vocab_size=9, max_position_embeddings=64)


@pytest.mark.parametrize(
    ("wanted", "device", "expected"),
    [
        ("fp32", CPU, torch.float32),
        ("fp32", GPU, torch.float32),
        ("bf16", CPU, torch.bfloat16),
        ("bf16", GPU, torch.bfloat16),
        ("fp16", GPU, torch.float16),
        ("fp16", torch.device("cuda:1"), torch.float16),
    ],
)
def test_a_type_that_is_named_is_taken(wanted: Precision, device: torch.device, expected: torch.dtype) -> None:
    assert choose_precision(wanted, device, CONFIG) is expected


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(DeviceError) as caught:
        choose_precision("fp16", CPU, CONFIG)
    assert str(caught.value) == (
        "precision = 'fp16' expects a GPU, found a CPU; choose bf16, fp32 or auto"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("capabilities", "config", "llvmlite", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True, "avx512_f": True, "avx2": True}, CONFIG, True, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, CONFIG, True, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True}, CONFIG, True, torch.bfloat16),
        ({"avx512_f": True, "avx2": True}, CONFIG, True, torch.float32),
        ({"avx512_f": True, "avx512_vnni": True, "avx2": True}, CONFIG, True, torch.int16),
        ({"avx512_f": True, "avx512_vnni": True, "avx2": True}, CONFIG, False, torch.float32),
        ({"avx512_f": False, "avx2": True}, CONFIG, True, torch.int16),
        ({"avx512_f": False, "avx2": True}, CONFIG, False, torch.float32),
        ({"avx512_f": False, "avx2": True}, ODD, True, torch.float32),
        ({"architecture": "aarch64", "sve": True}, CONFIG, True, torch.float32),
        ({}, CONFIG, True, torch.float32),
    ],
)
def test_auto_on_a_cpu_is_what_it_has_instructions_for(
    capabilities: dict[str, object],
    config: ModelConfig,
    llvmlite: bool,
    expected: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(int16, "find_spec", {"llvmlite": object() if llvmlite else None}.get)
    assert choose_precision("auto", CPU, config) is expected
    assert choose_training_precision("auto", CPU) in {torch.float32, torch.bfloat16}


@pytest.mark.parametrize(("supported", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_on_a_gpu_is_bf16_where_it_computes_in_it(
    supported: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return supported or including_emulation  # every GPU can emulate it, slowly

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    assert choose_precision("auto", GPU, CONFIG) is expected


def test_every_setting_of_a_float_means_a_type_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)
    on_gpu = {choose_training_precision(wanted, GPU) for wanted in get_args(TrainingPrecision)}
    assert on_gpu == {torch.float32, torch.bfloat16, torch.float16}
    assert set(get_args(Precision)) == {*get_args(TrainingPrecision), "int16"}


def test_auto_on_this_machine_is_a_type_that_a_cpu_has() -> None:
    assert choose_precision("auto", CPU, CONFIG) in {torch.float32, torch.bfloat16, torch.int16}
