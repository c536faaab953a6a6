"""The model card that training leaves beside the weights: a template filled with what was measured."""

from pathlib import Path
from typing import Final

from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings import TrainSettings
from emotion_udf.training.data import Splits
from emotion_udf.training.evaluate import Evaluation
from emotion_udf.training.fine_tune import FineTuned

CARD: Final = "MODEL_CARD.md"


def write_card(
    folder: Path, settings: TrainSettings, splits: Splits, tuned: FineTuned, results: dict[str, Evaluation]
) -> None:
    """Write the card into the model's folder.

    Args:
        folder: The model's folder.
        settings: What the model was trained with.
        splits: What it was trained on.
        tuned: Its epochs.
        results: Evaluations of the finished folder, by the name of the split.
    """
    base, how = settings.base, settings.optimiser
    epochs = "\n".join(
        f"| {e.number}{' (kept)' if e is tuned.best else ''} | {e.training_loss:.4f} | {e.validation_loss:.4f} "
        f"| {e.validation_accuracy:.2%} |"
        for e in tuned.epochs
    )
    final = "\n".join(
        f"| {name} | {result.sentences:,} | {result.accuracy:.2%} | {result.loss:.4f} |"
        for name, result in results.items()
    )
    labels = ", ".join(f"{emotion} {i}" for i, emotion in enumerate(EMOTIONS))
    (folder / CARD).write_text(
        f"""\
---
language: en
library_name: transformers
pipeline_tag: text-classification
datasets: [dair-ai/emotion]
base_model: {base.name}
---

# Emotion classifier

DistilBERT for sequence classification, {tuned.model.config.n_layers} layers of width {tuned.model.config.dim},
initialised from `{base.name.rpartition("/")[2]}` and fine-tuned on dair-ai/emotion. It labels a sentence with one of
six emotions: {labels}. The weights are stored in fp16 and computed with in fp32.

## Evaluation

Measured on the finished folder, in fp32.

| split | sentences | accuracy | loss |
|---|---:|---:|---:|
{final}

## Training

{len(splits.train):,} sentences; {splits.leaked} whose text also stands in validation or test were left out. AdamW
({how.beta1}, {how.beta2}, {how.epsilon}), learning rate {how.learning_rate} with a linear schedule and
{how.warmup_share:.0%} warm-up, batch {how.batch_size}, {how.epochs} epochs, weight decay {how.weight_decay}, label
smoothing {how.label_smoothing}, seed {how.seed}, {"bf16 mixed precision" if how.mixed_precision else "fp32"}.

| epoch | training loss | validation loss | validation accuracy |
|---:|---:|---:|---:|
{epochs}

The training loss includes label smoothing; the validation loss does not. The epoch was chosen by validation accuracy.

## Intended use and limits

Labels of English feedback in aggregate: shares by day, source and product. Not for decisions about a person. All
training sentences are of the form "i feel …" in lower case, and there is no neutral class: a message without a feeling
still gets one of the six. Sarcasm and irony are taken literally. Other languages are read as noise.

## Licences

dair-ai/emotion is for educational and research use (Saravia et al., CARER: Contextualized Affect Representations for
Emotion Recognition, EMNLP 2018). {base.name} is {base.licence}.
""",
        encoding="utf-8",
    )
