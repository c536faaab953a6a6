"""The model card that training leaves beside the weights: a template filled with what was measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from emotion_udf.classifier.configuration import Configuration
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.data import NEUTRAL, Splits, extra_sentences
from emotion_udf.training.evaluate import Metrics
from emotion_udf.training.fine_tune import FineTuned
from emotion_udf.training.probes import Probes
from emotion_udf.training.robustness import Robustness
from emotion_udf.training.soup import Soup

CARD: Final = "MODEL_CARD.md"

_TEMPLATE = Path(__file__).parent / "card_template.md"
_DATASET = "dair-ai/emotion"
_IN_THE_HEADER = {"accuracy": "Accuracy", "loss": "Loss", "macro_f1": "F1 (macro)", "weighted_f1": "F1 (weighted)"}


@dataclass(frozen=True)
class Measured:
    """Measurements of the finished folder.

    Attributes:
        splits: Metrics by split of the data set, validation and test.
        probes: Labels of the canary and the neutral sentences.
        augmentation: How the validation sentences fare when rewritten, by way of rewriting.
    """

    splits: dict[str, Metrics]
    probes: Probes
    augmentation: dict[str, Robustness]


def write_card(
    file: Path,
    settings: TrainSettings,
    config: Configuration,
    splits: Splits,
    result: FineTuned | Soup,
    measured: Measured,
) -> None:
    """Write the card, in the Hub's format.

    Args:
        file: The card.
        settings: What the model was trained with.
        config: The sizes of the network.
        splits: What it was trained on.
        result: The epochs of its training, or what it is the mean of.
        measured: What was measured on the finished folder.
    """
    own = extra_sentences()
    name = Path(settings.output.folder).name
    card = ModelCard.from_template(
        _header(name, settings, measured.splits),
        template_path=str(_TEMPLATE),
        name=name,
        emotions=EMOTIONS,
        settings=settings,
        config=config,
        splits=splits,
        own={"count": len(own), "neutral": own.labels.count(NEUTRAL)},
        result=result,
        measured=measured,
    )
    file.write_text(f"{str(card).rstrip()}\n", encoding="utf-8")


def _header(name: str, settings: TrainSettings, splits: dict[str, Metrics]) -> ModelCardData:
    """Return the metadata that the Hub shows and searches."""
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=_DATASET,
            dataset_name=_DATASET,
            dataset_split=split,
            metric_type=metric,
            metric_name=title,
            metric_value=round(getattr(metrics, metric), 4),
        )
        for split, metrics in splits.items()
        for metric, title in _IN_THE_HEADER.items()
    ]
    return ModelCardData(
        model_name=name,
        language="en",
        license="other",
        license_name="educational-and-research-use",
        base_model=settings.base.name,
        datasets=[_DATASET],
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["emotion"],
        eval_results=results,
    )
