"""A model that is not what it was is found before the night's messages are scored."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from pyspark import TaskContext
from pyspark.sql import SparkSession
from pyspark.sql.pandas.functions import pandas_udf
from safetensors.numpy import load_file, save_file

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, open_artifact
from emotion_udf.errors import EmotionUdfError, GateError
from emotion_udf.nightly.canary import score_canary
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.nightly.scorer import by_column
from emotion_udf.schemas import LABELS, RUNS, TEXT_SCORES
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.nightly import NightSettings, TermSettings, WarehouseSettings
from emotion_udf.udf import REPORTING_TYPE
from emotion_udf.window import Window
from emotion_udf.workers.report import TaskReport
from tests.helpers.messages import input_settings, message, write_messages


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED_FOLDER, folder)
    return folder


def night(folder: Path, model: Path) -> NightSettings:
    write_messages(folder / "in/1.parquet", [message("a"), message("b", "i am so angry")])
    return NightSettings(
        input=input_settings(folder / "in"),
        classifier=ClassifierSettings(model=str(model), precision="fp32"),
        warehouse=WarehouseSettings(root=str(folder / "out")),
        terms=TermSettings(enabled=False),
    )


def test_a_good_model_is_on_record(spark: SparkSession, tmp_path: Path, model: Path, day: Window) -> None:
    run = run_night(spark, night(tmp_path, model), day)
    gates = {gate.name: gate for gate in run.gates}
    assert gates["canary_error_share"].value == 0
    assert gates["canary_change"].value == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("tasks", "workers"), [(None, 2), (7, 2), (1, 1)])
def test_the_canary_starts_the_workers(spark: SparkSession, tmp_path: Path, tasks: int | None, workers: int) -> None:
    seen = str(tmp_path)

    def joyful(texts: pd.Series) -> pd.DataFrame:
        task = TaskContext.get()
        Path(seen, str(task.partitionId() if task else None)).touch()
        scores = {field.name: 0 for field in REPORTING_TYPE} | {"emotion": "joy", "engine": "a stub", "work": None}
        told = TaskReport.begin(is_again=False).line(0.5)
        return pd.DataFrame([scores] * (len(texts) - 1) + [scores | {"work": told}])

    emotion = pandas_udf(joyful, REPORTING_TYPE)  # type: ignore[call-overload]
    canary, told = score_canary(
        spark, open_artifact(ClassifierSettings().source), partial(by_column, udf=emotion), tasks
    )

    assert canary.error_share == pytest.approx(5 / 6), "20 of 120 sentences are joy"
    assert len(list(tmp_path.iterdir())) == workers
    assert len(told) == workers


def test_changed_weights_are_refused_before_anything_is_scored(
    spark: SparkSession, tmp_path: Path, model: Path, day: Window
) -> None:
    weights = load_file(model / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = np.roll(weights[name], 1, axis=0)  # every emotion becomes the next one
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    (model / "canary.json").unlink()

    with pytest.raises(GateError, match="canary_error_share"):
        run_night(spark, night(tmp_path, model), day)
    assert not (tmp_path / "out" / LABELS / "_delta_log").exists()
    assert not (tmp_path / "out" / TEXT_SCORES / "_delta_log").exists()
    (record,) = DeltaTable(tmp_path / "out" / RUNS).to_pyarrow_table().to_pylist()
    assert {gate["name"]: gate["passed"] for gate in record["gates"]}["canary_error_share"] is False


@pytest.mark.slow
def test_a_weight_that_is_no_number_never_labels_a_message(
    spark: SparkSession, tmp_path: Path, model: Path, day: Window
) -> None:
    weights = load_file(model / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"].copy()
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    (model / "canary.json").unlink()

    with pytest.raises(EmotionUdfError) as caught:
        run_night(spark, night(tmp_path, model), day)
    assert caught.value.exit_code in (2, 4)
    assert not (tmp_path / "out" / LABELS / "_delta_log").exists()
