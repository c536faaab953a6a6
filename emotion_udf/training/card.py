"""The model card that training leaves beside the weights: a template filled with measurements."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.by_source import SetMetrics, lengths_table, table_of
from emotion_udf.training.data import Corpus, read_extra_sentences
from emotion_udf.training.fine_tune import FineTuned
from emotion_udf.training.labels import NEUTRAL
from emotion_udf.training.probes import Probes
from emotion_udf.training.robustness import Robustness
from emotion_udf.training.soup import Soup

CARD: Final = "MODEL_CARD.md"

_TEMPLATE = Path(__file__).parent / "card_template.md"
_IN_THE_HEADER = {"accuracy": "Accuracy", "loss": "Loss", "macro_f1": "F1 (macro)", "weighted_f1": "F1 (weighted)"}


@dataclass(frozen=True)
class Measurements:
    """Measurements of the finished folder.

    Attributes:
        sets: Metrics of validation and test of every source.
        probes: Labels of the canary and the neutral sentences.
        augmentation: How sentences fare when rewritten, by way of rewriting.
        augmented: The name of the source whose validation sentences were rewritten.
    """

    sets: list[SetMetrics]
    probes: Probes
    augmentation: dict[str, Robustness]
    augmented: str


def write_card(
    file: Path,
    settings: TrainSettings,
    config: ModelConfig,
    corpus: Corpus,
    result: FineTuned[DistilBert] | Soup,
    measured: Measurements,
) -> None:
    """Write the card, in the Hub's format.

    Args:
        file: The card.
        settings: The settings of the training.
        config: The sizes of the network.
        corpus: What it was trained on.
        result: The epochs of its training, or what it is the mean of.
        measured: Measurements of the finished folder.
    """
    own = read_extra_sentences()
    name = Path(settings.output.folder).name
    card = ModelCard.from_template(
        _header(name, settings, corpus, measured.sets),
        template_path=str(_TEMPLATE),
        name=name,
        emotions=EMOTIONS,
        settings=settings,
        config=config,
        corpus=corpus,
        own={"count": len(own), "neutral": own.labels.count(NEUTRAL)},
        result=result,
        measured=measured,
        sets_table=markdown_table(table_of(measured.sets)),
        lengths_table=markdown_table(lengths_table(measured.sets)),
        threshold=next(one.emotions.min_confidence for one in measured.sets if one.emotions),
        temperature=next(one.emotions.temperature for one in measured.sets if one.emotions),
    )
    file.write_text(f"{str(card).rstrip()}\n", encoding="utf-8")


def markdown_table(rows: list[list[str]]) -> str:
    """Return a table whose first row is its head, and whose columns but the first are aligned to the right."""
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def _header(name: str, settings: TrainSettings, corpus: Corpus, sets: list[SetMetrics]) -> ModelCardData:
    """Return the metadata that the Hub shows and searches."""
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=one.source,
            dataset_name=one.source,
            dataset_split=one.split,
            metric_type=metric,
            metric_name=title,
            metric_value=round(getattr(one.emotions, metric), 4),
        )
        for one in sets
        if one.emotions
        for metric, title in _IN_THE_HEADER.items()
    ]
    return ModelCardData(
        model_name=name,
        language="en",
        license="other",
        license_name=settings.output.license,
        base_model=settings.base.name,
        datasets=[source.name for source in corpus.sources if "/" in source.name],
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["emotion"],
        eval_results=results,
    )
