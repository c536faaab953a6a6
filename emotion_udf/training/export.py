"""A trained model -> a folder that this project and stock transformers load."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file
from transformers import DistilBertForSequenceClassification

from emotion_udf.classifier.artifact import CONFIG, TOKENIZER, WEIGHTS, ArtifactSource, open_artifact
from emotion_udf.errors import UsageError


def export(model: DistilBertForSequenceClassification, tokenizer_json: Path, folder: Path) -> None:
    """Write `config.json`, `tokenizer.json`, `tokenizer_config.json` and `model.safetensors`.

    The weights are kept in fp16, half the size; `config.json` asks for fp32, so that everyone computes in fp32.

    Args:
        model: A classifier with six labels.
        tokenizer_json: The base model's tokenizer.
        folder: Must not exist yet; it appears whole or not at all.

    Raises:
        UsageError: The folder exists.
    """
    refuse_existing(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as temporary:
        partial = Path(temporary) / folder.name
        partial.mkdir()
        _write(model, tokenizer_json, partial)
        open_artifact(ArtifactSource(str(partial)))  # what is published must pass its own checks
        partial.rename(folder)


def _write(model: DistilBertForSequenceClassification, tokenizer_json: Path, folder: Path) -> None:
    config = model.config.to_dict()
    config |= {"architectures": ["DistilBertForSequenceClassification"], "dtype": "float32"}
    config.pop("_name_or_path", None)
    _write_json(folder / CONFIG, config)
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(model.config.max_position_embeddings))
    tokenizer = json.loads(tokenizer_json.read_text(encoding="utf-8")) | {"truncation": None, "padding": None}
    (folder / TOKENIZER).write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    weights = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)  # safetensors lets only the owner read it


def refuse_existing(folder: Path) -> None:
    """Keep an earlier model from being overwritten.

    Raises:
        UsageError: The folder exists.
    """
    if folder.exists():
        raise UsageError(f"expected no folder at {folder}, found one; remove it or set output.folder to a new name")


def _tokenizer_config(max_tokens: int) -> dict[str, object]:
    """Tell transformers to take `tokenizer.json` as it is, and how the model's inputs are named and bounded."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "model_input_names": ["input_ids", "attention_mask"],
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
