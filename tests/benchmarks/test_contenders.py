"""The Spark contenders that this environment can run give the same labels, in one session."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks.contenders.spark import CONTENDERS, label
from benchmarks.inputs import BUNDLED, to_messages, write_parts
from emotion_udf.probes import canary_sentences


@pytest.mark.slow
def test_all_give_the_labels_of_plain_sentences(spark: SparkSession, tmp_path: Path) -> None:
    sentences = canary_sentences()[::6]
    rows = write_parts(to_messages([text for text, _ in sentences]), 2, tmp_path / "rows")
    for name in ("emotion-udf", "hf-pipeline", "predict-batch-udf", "transformers"):
        labelling, _ = CONTENDERS[name](str(BUNDLED), False)
        label(spark, labelling, str(rows), str(tmp_path / name))
        written = pq.read_table(tmp_path / name, columns=["id", "label"]).to_pylist()
        labels = [row["label"] for row in sorted(written, key=lambda row: int(row["id"]))]
        assert labels == [emotion for _, emotion in sentences], name
