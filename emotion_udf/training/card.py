"""The model card that training leaves beside the weights: a template filled with what was measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.data import NEUTRAL, Splits, own_sentences
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
    """What was measured on the finished folder.

    Args:
        parts: Figures by part of the data set, validation and test.
        probes: What the canary and the neutral sentences say.
        noise: What rewriting the validation sentences does, by kind of rewriting.
    """

    parts: dict[str, Metrics]
    probes: Probes
    noise: dict[str, Robustness]


def write_card(
    file: Path,
    settings: TrainSettings,
    sizes: ModelConfig,
    splits: Splits,
    made: FineTuned | Soup,
    measured: Measured,
) -> None:
    """Write the card, in the Hub's format.

    Args:
        file: The card.
        settings: What the model was trained with.
        sizes: The sizes of the network.
        splits: What it was trained on.
        made: The epochs of its training, or what it is the mean of.
        measured: What was measured on the finished folder.
    """
    own = own_sentences()
    name = Path(settings.output.folder).name
    card = ModelCard.from_template(
        _header(name, settings, measured.parts),
        template_path=str(_TEMPLATE),
        name=name,
        emotions=EMOTIONS,
        settings=settings,
        sizes=sizes,
        splits=splits,
        own={"count": len(own), "neutral": own.labels.count(NEUTRAL)},
        made=made,
        measured=measured,
    )
    file.write_text(f"{str(card).rstrip()}\n", encoding="utf-8")


def _header(name: str, settings: TrainSettings, parts: dict[str, Metrics]) -> ModelCardData:
    """Return the metadata that the Hub shows and searches."""
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=_DATASET,
            dataset_name=_DATASET,
            dataset_split=part,
            metric_type=figure,
            metric_name=title,
            metric_value=round(getattr(metrics, figure), 4),
        )
        for part, metrics in parts.items()
        for figure, title in _IN_THE_HEADER.items()
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
