"""A trained network -> a folder that this project and stock transformers load."""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from emotion_udf.classifier.artifact import CONFIG, TOKENIZER, WEIGHTS, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.configuration import OWN_SECTION
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.recorded import write_recorded
from emotion_udf.classifier.weights import to_transformers
from emotion_udf.probes import canary_sentences


def export(
    network: DistilBert, config: dict[str, Any], own: dict[str, float | int], tokenizer_json: str, folder: Path
) -> None:
    """Write `config.json`, `tokenizer.json`, `tokenizer_config.json` and `model.safetensors`, and check the folder.

    The weights are kept in fp16, half the size; `config.json` asks for fp32, so that everyone computes in fp32.

    Args:
        network: The trained network.
        config: Its `config.json` in transformers' terms.
        own: Values that transformers has no name for: temperature, threshold, version of the tokenizer's rules.
        tokenizer_json: Its tokenizer.
        folder: An empty folder.

    Raises:
        ModelError: What was written does not pass its own checks.
    """
    described = config | {
        "architectures": ["DistilBertForSequenceClassification"],
        "dtype": "float32",
        "model_type": "distilbert",
        OWN_SECTION: own,
    }
    described.pop("_name_or_path", None)
    _write_json(folder / CONFIG, described)
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(config["max_position_embeddings"]))
    (folder / TOKENIZER).write_text(tokenizer_json, encoding="utf-8")
    theirs = to_transformers(dict(network.state_dict()), config["n_layers"])
    save_file({name: w.half().contiguous() for name, w in theirs.items()}, folder / WEIGHTS, metadata={"format": "pt"})
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)  # safetensors lets only the owner read it
    open_artifact(ArtifactSource(str(folder)))  # what is published must pass its own checks


def record_canary(classifier: Classifier) -> None:
    """Write `canary.json` into the classifier's folder: what it says of the canary sentences."""
    found = classifier.score([text for text, _ in canary_sentences()])
    write_recorded(classifier.artifact.folder, classifier.artifact.weights_sha256, found.probabilities)


def _tokenizer_config(max_tokens: int) -> dict[str, object]:
    """Tell transformers to take `tokenizer.json` as it is, and how the model's inputs are named and bounded."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "model_input_names": ["input_ids", "attention_mask"],
        "split_special_tokens": True,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
