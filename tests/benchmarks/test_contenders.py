"""The Spark contenders that this environment can run give the same labels, in one session."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks.contenders.spark import CONTENDERS, label
from benchmarks.inputs import BUNDLED, PROBES, read_texts, to_messages, write_parts


@pytest.mark.parametrize("best", [False, True])
def test_all_give_the_labels_of_this_project(best: bool, spark: SparkSession, tmp_path: Path) -> None:
    texts = read_texts(PROBES, 24)
    rows = write_parts(to_messages(texts), 2, tmp_path / "rows")
    expected = labels_from("emotion-udf", best, spark, rows, tmp_path)
    assert len(set(expected)) > 2
    for peer in ("hf-pipeline", "predict-batch-udf"):
        assert labels_from(peer, best, spark, rows, tmp_path) == expected


def labels_from(name: str, best: bool, spark: SparkSession, rows: Path, folder: Path) -> Sequence[str]:
    """Label rows with a contender and return the labels in the order of the ids."""
    labelling, settings = CONTENDERS[name](str(BUNDLED), best)
    assert "model" not in settings
    label(spark, labelling, str(rows), str(folder / name))
    written = pq.read_table(folder / name, columns=["id", "label"]).to_pylist()
    return [row["label"] for row in sorted(written, key=lambda row: int(row["id"]))]
