from collections.abc import Iterator

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.errors import UsageError
from emotion_udf.nightly import scorer
from emotion_udf.nightly.scorer import by_column, gpu_profile, scorer_of, with_keys
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.udf import REPORTING_TYPE, spec_of, udf_of
from emotion_udf.workers.spec import WorkerSpec

TEXTS = ["i am so happy", "i am so angry", "", "i love you"]


@pytest.fixture
def spec() -> WorkerSpec:
    return spec_of(open_artifact(ArtifactSource()), ClassifierSettings())


class _Conf(dict[str, str]):
    """The settings of a session."""


class _Session:
    def __init__(self, **settings: str) -> None:
        self.conf = _Conf({name.replace("_", "."): value for name, value in settings.items()})


def profile_of(gpus: float | None, **settings: str) -> object:
    return gpu_profile(_Session(**settings), gpus)  # type: ignore[arg-type]


@given(sizes=st.lists(st.integers(0, 7), max_size=6), chunks=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_each_row_keeps_its_key_whatever_the_batches(sizes: list[int], chunks: list[int]) -> None:
    rows = sum(sizes)
    keys = [f"key-{number}" for number in range(rows)]

    def scored(batches: Iterator[pd.Series], _: object) -> Iterator[pd.DataFrame]:
        texts = [text for batch in batches for text in batch]
        start = 0
        while start < len(texts):
            for size in chunks:
                yield pd.DataFrame({"emotion": texts[start : start + size]})
                start += size

    def batches() -> Iterator[pd.DataFrame]:
        start = 0
        for size in sizes:
            part = keys[start : start + size]
            yield pd.DataFrame({"text_key": part, "text": [f"text of {key}" for key in part]}, dtype=object)
            start += size

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorer, "score_batches", scored)
        found = list(with_keys(batches(), "text_key", None))  # type: ignore[arg-type]
    together = [tuple(row) for frame in found for row in frame.itertuples(index=False)]
    assert together == [(key, f"text of {key}") for key in keys]


def test_a_stage_scores_as_the_column_does(spark: SparkSession, spec: WorkerSpec) -> None:
    texts = spark.createDataFrame([(f"key-{n}", text) for n, text in enumerate(TEXTS)], "text_key string, text string")
    texts = texts.coalesce(1)
    by_udf = by_column(texts, udf_of(spec))
    in_stage = texts.mapInPandas(lambda batches: with_keys(batches, "text_key", spec), by_udf.schema)

    assert in_stage.columns == ["text_key", *REPORTING_TYPE.fieldNames()]
    without_work = [column for column in in_stage.columns if column != "work"]
    assert in_stage.select(without_work).collect() == by_udf.select(without_work).collect()
    assert [row.work is not None for row in in_stage.collect()] == [False, False, False, True]


def test_local_mode_scores_without_a_request(spark: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    texts = spark.createDataFrame([("key", "i am so happy")], "text_key string, text string")
    (row,) = scorer_of(spark, open_artifact(ArtifactSource()), ClassifierSettings(task_gpus=0.5))(texts).collect()
    assert (row.text_key, row.emotion) == ("key", "joy")
    assert "classifier.task_gpus is left alone" in caplog.text


def test_nothing_is_asked_for_where_the_settings_name_nothing() -> None:
    assert profile_of(None, spark_master="spark://host:7077") is None


@pytest.mark.parametrize("master", ["spark://host:7077", "yarn", "k8s://https://host:6443"])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, r"expected spark\.executor\.resource\.gpu\.amount .*task_gpus = 2, found 0"),
        ({"spark_executor_resource_gpu_amount": "1"}, r"task_gpus = 2, found 1"),
        (
            {"spark_executor_resource_gpu_amount": "2", "spark_dynamicAllocation_enabled": "true"},
            r"expected executors that stay, .* found spark\.dynamicAllocation\.enabled = true",
        ),
    ],
)
def test_what_spark_would_never_give_is_not_asked_for(master: str, settings: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        profile_of(2, spark_master=master, **settings)
