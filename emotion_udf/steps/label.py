"""Messages and scores -> `emotion_labels`."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.schemas import labels_schema
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.steps.language import is_supported, with_language
from emotion_udf.steps.score import with_text_key


def label(
    messages: DataFrame, scores: DataFrame, settings: NightSettings, artifact: Artifact, run_id: str
) -> DataFrame:
    """Give every message the scores that its `text_key` names.

    A label of a text in another language than the classifier's is not confident, whatever the probabilities say. The
    labels of one text have one `text_key`, also where each message was scored for itself.
    """
    is_sure = F.col("confidence") >= F.lit(min_confidence(settings, artifact)).cast("float")
    schema = labels_schema(settings.dimensions, settings.warehouse.keep_text)
    scored = messages.join(scores, on="text_key", how="inner")
    return (
        with_text_key(scored, shared=True)
        .withColumn("language", with_language(F.col("text")))
        .withColumn("is_supported_language", is_supported(F.col("language")))
        .withColumn("is_confident", is_sure & F.col("is_supported_language"))
        .withColumn("model_fingerprint", F.lit(artifact.fingerprint))
        .withColumn("run_id", F.lit(run_id))
        .select(*schema.fieldNames())
    )


def min_confidence(settings: NightSettings, artifact: Artifact) -> float:
    """Return the confidence from which on a label is confident: the settings' own, or else the model's."""
    own = settings.labels.min_confidence
    return artifact.configuration.min_confidence if own is None else own
