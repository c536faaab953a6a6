"""What a competent user would take: transformers without its pipeline, and other runtimes, in a pandas UDF.

They get what this project gives its own network: token ids by tokenizers' `encode_batch_fast`, rows sorted by their
tokens, and batches of so many tokens. Batches have the size that was the fastest of 256 to 4,096 tokens on tweets.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders.contract import labels_of, sizes_of
from benchmarks.machine import ROOT, computes_in_bf16

Ids = Sequence[Sequence[int]]
Forward = Callable[[Ids], NDArray[np.float32]]
"""Token ids of B rows -> logits (B, labels)."""

CONVERTED: Final = ROOT / "build" / "benchmarks" / "converted"
_HEAD = ("pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias")


@dataclass(frozen=True)
class Runtime:
    """A way to run the network.

    Attributes:
        load: Loads what `convert` made of a model folder, in a worker.
        precision: What it computes in.
        tokens: Those of a batch, padding included.
        convert: Converts a model folder into a new folder.
        pads: Whether rows of a batch may differ in length.
    """

    load: Callable[[str, Path], Forward]
    precision: str
    tokens: int
    convert: Callable[[str, Path], None] = lambda *_: None
    pads: bool = True


def convert(name: str, model: str) -> Path:
    """Convert a model for a runtime of `RUNTIMES`, anew, and return the folder."""
    shutil.rmtree(CONVERTED / name, ignore_errors=True)
    (CONVERTED / name).mkdir(parents=True)
    RUNTIMES[name].convert(model, CONVERTED / name)
    return CONVERTED / name


@cache  # as long as the worker lives
def load_scorer(name: str, model: str, folder: Path) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """Load tokenizer and network; return what maps texts to probabilities (B, labels)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(sizes_of(model)["max_position_embeddings"])
    tokenizer.encode_special_tokens = True
    runtime = RUNTIMES[name]
    forward = runtime.load(model, folder)

    def score(texts: Sequence[str]) -> NDArray[np.float32]:
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
        logits = np.empty((len(ids), len(labels_of(model))), np.float32)
        longest_first = sorted(range(len(ids)), key=lambda row: len(ids[row]), reverse=True)
        while longest_first:
            longest = len(ids[longest_first[0]])
            rows = longest_first[: max(1, runtime.tokens // longest)]
            rows = [row for row in rows if runtime.pads or len(ids[row]) == longest]
            logits[rows] = forward([ids[row] for row in rows])
            del longest_first[: len(rows)]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    return score


def pad(rows: Ids, dtype: Any = np.int64) -> dict[str, NDArray[Any]]:
    """Return B rows of token ids as `input_ids` and `attention_mask`, (B, tokens of the longest) each."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(mask.shape, dtype)
    ids[mask] = np.concatenate(rows)
    return {"input_ids": ids, "attention_mask": mask.astype(dtype)}


def load_network(model: str, **options: Any) -> Any:
    """Load transformers' network, which returns a tuple of its logits."""
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(model, return_dict=False, **options).eval()


def load_transformers(model: str, _: Path, dtype: str) -> Forward:
    """Load the network of transformers itself, which is faster without a mask."""
    import torch

    network = load_network(model, dtype=dtype)

    def forward(rows: Ids) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.tensor(rows))[0].float().numpy())

    return forward


def convert_ctranslate2(model: str, folder: Path) -> None:
    """Convert the encoder; CTranslate2 knows no head of DistilBERT's."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(model).convert(str(folder), force=True)


def load_ctranslate2(model: str, folder: Path, compute_type: str) -> Forward:
    """Load CTranslate2's encoder, with the head in numpy."""
    os.environ["CT2_USE_EXPERIMENTAL_PACKED_GEMM"] = "1"
    import ctranslate2
    from safetensors import safe_open

    encoder = ctranslate2.Encoder(str(folder), compute_type=compute_type, inter_threads=1, intra_threads=1)
    with safe_open(f"{model}/model.safetensors", "np") as weights:
        between, between_bias, last, last_bias = (weights.get_tensor(name).astype(np.float32) for name in _HEAD)

    def forward(rows: Ids) -> NDArray[np.float32]:
        first = np.array(encoder.forward_batch(rows).last_hidden_state)[:, 0]  # (B, dim)
        return np.asarray(np.maximum(first @ between.T + between_bias, 0) @ last.T + last_bias)

    return forward


def convert_onnx(model: str, folder: Path) -> None:
    """Export the network, and fuse its operators by ONNX Runtime's optimizer for transformers."""
    import torch
    from onnxruntime.transformers.optimizer import optimize_model

    network = load_network(model, dtype="float32", attn_implementation="eager")
    example = tuple(torch.from_numpy(ids) for ids in pad([[101, 2026, 102], [101, 102]]).values())
    names = ["input_ids", "attention_mask"]
    axes = {name: {0: "rows", 1: "tokens"} for name in names} | {"logits": {0: "rows"}}
    exported = str(folder / "exported.onnx")
    torch.onnx.export(
        network, example, exported, input_names=names, output_names=["logits"], dynamic_axes=axes, dynamo=False
    )
    sizes = sizes_of(model)
    fused = optimize_model(exported, "bert", sizes["n_heads"], sizes["dim"], opt_level=0)
    fused.save_model_to_file(str(folder / "model.onnx"))


def convert_onnx_int8(model: str, folder: Path) -> None:
    """Export and fuse the network, and quantise it to 8 bits: inputs as they come, weights by output.

    Weights have 7 bits, which no instruction of any processor lets overflow; with 8, labels change as often.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    convert_onnx(model, folder)
    file = folder / "model.onnx"
    options = {"DefaultTensorType": 1}  # float: the types of fused operators' outputs are not known
    quantize_dynamic(
        file, file, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8, extra_options=options
    )


def load_onnxruntime(_: str, folder: Path) -> Forward:
    """Load ONNX Runtime, which keeps to the CPU's own operators."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    dtype = np.int32 if session.get_inputs()[0].type == "tensor(int32)" else np.int64  # as fusion left it
    return lambda rows: np.asarray(session.run(["logits"], pad(rows, dtype))[0])


def convert_openvino(model: str, folder: Path) -> None:
    """Convert the network for OpenVINO, in fp32 and without a mask."""
    import openvino
    import torch

    example = {"input_ids": torch.tensor([[101, 2026, 102]] * 2)}
    converted = openvino.convert_model(load_network(model, dtype="float32"), example_input=example)
    openvino.save_model(converted, folder / "model.xml", compress_to_fp16=False)


def load_openvino(_: str, folder: Path, precision: str) -> Forward:
    """Load OpenVINO on one thread."""
    import openvino

    options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", options | {"ENABLE_CPU_PINNING": False})
    request = compiled.create_infer_request()
    return lambda rows: np.array(request.infer([np.array(rows)])[0])


_HALF = computes_in_bf16()
_FASTEST = "bf16" if _HALF else "fp32"

RUNTIMES: Final = {
    "transformers": Runtime(
        partial(load_transformers, dtype="bfloat16" if _HALF else "float32"), _FASTEST, 2_048, pads=False
    ),
    "ctranslate2": Runtime(partial(load_ctranslate2, compute_type="float32"), "fp32", 256, convert_ctranslate2),
    "ctranslate2-int8": Runtime(partial(load_ctranslate2, compute_type="int8"), "int8", 256, convert_ctranslate2),
    "onnxruntime": Runtime(load_onnxruntime, "fp32", 512, convert_onnx),
    "onnxruntime-int8": Runtime(load_onnxruntime, "int8", 1_024, convert_onnx_int8),
    "openvino": Runtime(
        partial(load_openvino, precision="bf16" if _HALF else "f32"), _FASTEST, 2_048, convert_openvino, pads=False
    ),
}
