"""The kernels on a GPU, against torch in fp32; skipped where there is none."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.classifier.gpu.kernels import HALF, Kernels
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.probes import probe_texts

pytest.importorskip("cuda.core")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

GPU = torch.device("cuda:0")
MOST_ERROR = {torch.bfloat16: 5e-3, torch.float16: 1e-3}  # of the norm of the result


@pytest.fixture(params=[(768, 12), (384, 12)], ids=["heads of 64", "heads of 32"])
def config(request: pytest.FixtureRequest) -> ModelConfig:
    dim, heads = request.param
    return ModelConfig(dim, 4 * dim, heads, 6, 100, 512)


def error_of(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected).norm() / expected.norm())


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_each_row_attends_to_itself(config: ModelConfig, dtype: torch.dtype, seed: int) -> None:
    lengths = [*np.random.default_rng(seed).integers(1, 70, 60).tolist(), 512, 1, 15, 16, 17, 32]
    starts = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32, device=GPU)
    torch.manual_seed(seed)
    qkv = torch.randn(sum(lengths), 3 * config.dim, device=GPU).to(dtype)
    q, k, v = qkv.chunk(3, dim=1)
    kernels = Kernels(config, GPU, dtype)
    rows = [tuple(part.float().view(len(part), config.n_heads, -1).transpose(0, 1) for part in row)
            for row in zip(*(part.split(lengths) for part in (q, k, v)), strict=True)]  # fmt: skip
    expected = [F.scaled_dot_product_attention(*row).transpose(0, 1).flatten(1) for row in rows]
    found = kernels.attend(q, k, v, starts=starts, longest=max(lengths))
    assert error_of(found, torch.cat(expected)) < MOST_ERROR[dtype]
    of_first = kernels.attend(q[starts[:-1]], k, v, starts=starts, longest=max(lengths))
    assert error_of(of_first, torch.stack([row[0] for row in expected])) < MOST_ERROR[dtype]


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_sums_are_normalized(config: ModelConfig, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    x, a = torch.randn(2, 999, config.dim, device=GPU).to(dtype)
    norm = nn.LayerNorm(config.dim, eps=1e-12).to(GPU, dtype)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    places = torch.randint(999, (5_000,), dtype=torch.int32, device=GPU)
    kernels = Kernels(config, GPU, dtype)
    expected = F.layer_norm(x.float() + a.float(), (config.dim,), norm.weight.float(), norm.bias.float(), 1e-12)
    assert error_of(kernels.add_norm(x, a, norm), expected) < MOST_ERROR[dtype]
    assert error_of(kernels.embed_norm(x, a, places, places, norm), expected[places]) < MOST_ERROR[dtype]


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_the_bundled_classifier_says_what_it_says_in_fp32(dtype: torch.dtype) -> None:
    artifact = open_artifact(ArtifactSource())
    rows = MessageTokenizer(artifact.folder / "tokenizer.json", artifact.max_tokens).encode(probe_texts()).rows
    rows = rows.take(np.argsort(-rows.lengths, kind="stable"))
    engine = TorchEngine(artifact, "cuda:0", dtype)
    assert engine.name.endswith("own kernels")
    found, expected = engine.probabilities(rows), TorchEngine(artifact, "cuda:0").probabilities(rows)
    assert float((found - expected).abs().max()) < 0.03
    assert torch.equal(found, engine.probabilities(rows))
