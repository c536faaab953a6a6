import tarfile
from pathlib import Path

import pandas as pd
import pytest
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from emotion_udf import EMOTIONS, ClassifierSettings, make_emotion_udf, register_emotion_udf
from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.errors import ModelError, from_worker
from emotion_udf.udf import SCORE_TYPE

TEXTS = [
    "i feel so happy today",
    None,
    "i am furious about this delivery",
    "",
    "🎉",
    "i was terrified when it caught fire",
    "word " * 3000,
    None,
    "ok",
]
MANY = [text and f"{text} {n}" for n, text in enumerate(TEXTS * 3)]


def numbered(spark: SparkSession, texts: list[str | None], partitions: int = 1) -> DataFrame:
    """A frame of texts that keep their place in `n`."""
    return spark.createDataFrame(list(enumerate(texts)), "n INT, text STRING").repartition(partitions)


def probabilities(frame: DataFrame) -> dict[int, tuple[float, ...]]:
    rows = frame.select("n", *(f"score.{emotion}" for emotion in EMOTIONS)).collect()
    return {row.n: tuple(row[emotion] for emotion in EMOTIONS) for row in rows}


def test_each_text_gets_its_score_and_null_gives_nulls(spark: SparkSession) -> None:
    scored = numbered(spark, TEXTS).withColumn("score", make_emotion_udf()("text"))
    rows = {row.n: row for row in scored.collect()}

    assert scored.schema["score"].dataType == SCORE_TYPE
    assert rows[0].score.emotion == "joy"
    assert rows[2].score.emotion == "anger"
    assert rows[5].score.emotion == "fear"
    for n, text in enumerate(TEXTS):
        score = rows[n].score
        assert rows[n].text == text
        if text is None:
            assert set(score) == {None}
        else:
            by_emotion = {emotion: score[emotion] for emotion in EMOTIONS}
            assert sum(by_emotion.values()) == pytest.approx(1, abs=1e-5)
            assert score.emotion == max(by_emotion, key=lambda emotion: by_emotion[emotion])
            assert score.confidence == max(by_emotion.values())
            assert score.is_truncated == (text == TEXTS[6])
    assert rows[6].score.token_count == 3002
    assert rows[3].score.token_count == 2


def test_a_model_that_spark_has_unpacked_is_found_by_its_name(spark: SparkSession, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(BUNDLED_FOLDER, ".")
    spark.sparkContext.addArchive(f"{tmp_path}/model.tar.gz#unpacked-emotions")

    emotion = make_emotion_udf(ClassifierSettings(model="unpacked-emotions", precision="fp32"))
    assert numbered(spark, TEXTS[:1]).select(emotion("text").emotion).collect() == [("joy",)]


def test_the_udf_has_a_sql_name(spark: SparkSession) -> None:
    register_emotion_udf(spark)
    row = spark.sql(
        "SELECT emotion(text).emotion AS label, emotion(text).confidence AS confidence "
        "FROM VALUES ('i feel so happy today') AS t(text)"
    ).first()

    assert row is not None
    assert row.label == "joy"
    assert 0 < row.confidence <= 1


def test_a_filter_on_the_label_evaluates_the_model_once(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = numbered(spark, TEXTS).withColumn("score", make_emotion_udf()("text"))
    scored.where("score.emotion = 'joy'").select("n", "score.confidence", "score.joy").explain()

    assert capsys.readouterr().out.count("ArrowEvalPython [") == 1


@pytest.fixture(scope="module")
def expected(spark: SparkSession) -> dict[int, tuple[float, ...]]:
    """The probabilities of `MANY`, cut as the settings' defaults say; the promise is one of fp32."""
    return probabilities(
        numbered(spark, MANY).withColumn("score", make_emotion_udf(ClassifierSettings(precision="fp32"))("text"))
    )


@pytest.mark.parametrize(
    ("arrow_rows", "chunk_rows", "token_budget", "partitions"),
    [
        (3, 1, 64, 1),  # chunks smaller than an Arrow batch
        (2, 7, 300, 1),  # chunks over the borders of Arrow batches
        (10_000, 10_000, 4096, 3),
    ],
)
def test_batches_chunks_and_partitions_move_no_probability(
    spark: SparkSession,
    expected: dict[int, tuple[float, ...]],
    arrow_rows: int,
    chunk_rows: int,
    token_budget: int,
    partitions: int,
) -> None:
    settings = ClassifierSettings(chunk_rows=chunk_rows, token_budget=token_budget, precision="fp32")
    before = spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert before is not None
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", arrow_rows)
    try:
        cut = numbered(spark, MANY, partitions).withColumn("score", make_emotion_udf(settings)("text"))
        found = probabilities(cut)
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", before)

    assert found.keys() == expected.keys()
    for n, row in expected.items():
        assert found[n] == (row if None in row else pytest.approx(row, abs=1e-5))


def test_no_rows_give_no_rows(spark: SparkSession) -> None:
    assert numbered(spark, TEXTS).where("n < 0").select(make_emotion_udf()("text")).collect() == []


def test_a_limit_ends_early_without_an_error(spark: SparkSession) -> None:
    texts = spark.range(30).select(F.concat(F.lit("i feel number "), "id").alias("text"))

    assert len(texts.select(make_emotion_udf(ClassifierSettings(chunk_rows=5))("text")).limit(3).collect()) == 3


def test_an_error_of_several_lines_comes_from_a_worker_whole(spark: SparkSession) -> None:
    def fail(texts: pd.Series) -> pd.Series:
        raise ModelError(f"expected a model, found {len(texts)} texts:\n  the second line\n\nthe last")

    udf = pandas_udf(fail, "string")  # type: ignore[call-overload]
    with pytest.raises(PythonException) as failure:
        numbered(spark, ["i hate my neighbour"]).select(udf("text")).collect()

    error = from_worker(str(failure.value))
    assert type(error) is ModelError
    assert str(error) == "expected a model, found 1 texts:\n  the second line\n\nthe last"


def test_a_missing_model_is_told_before_spark_does_anything() -> None:
    with pytest.raises(ModelError, match="model folder at nowhere"):
        make_emotion_udf(ClassifierSettings(model="nowhere"))


def test_a_worker_loads_its_classifier_once_and_refuses_another_model() -> None:
    from dataclasses import replace

    from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
    from emotion_udf.udf import _classifier_for
    from emotion_udf.workers.report import TaskReport
    from emotion_udf.workers.spec import WorkerSpec

    spec = WorkerSpec(ArtifactSource(), open_artifact(ArtifactSource()).fingerprint, "cpu", "fp32", 4096, 10_000)

    report = TaskReport.begin(is_again=False)

    assert _classifier_for(spec, report) is _classifier_for(replace(spec, chunk_rows=1), report)
    assert report.loads == 1
    with pytest.raises(ModelError, match="every node"):
        _classifier_for(replace(spec, fingerprint="0" * 32), report)
