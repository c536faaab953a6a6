"""What the README shows works as it is written there."""

import re
from pathlib import Path

from pyspark.sql import SparkSession

from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from tests.helpers.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_settings_example_loads(tmp_path: Path) -> None:
    (toml,) = blocks("toml")
    file = tmp_path / "settings.toml"
    file.write_text(toml, encoding="utf-8")

    settings = load_settings(NightSettings, file)

    assert settings.input.date_partition == "dt"
    assert settings.dimensions == ["source"]


def test_the_udf_example_runs(spark: SparkSession) -> None:
    (example,) = (block for block in blocks("python") if "make_emotion_udf" in block)
    feedback = spark.createDataFrame([("m1", "i feel so happy today")], "id STRING, text STRING")
    feedback.createOrReplaceTempView("feedback")
    lines = example.strip().splitlines()
    shown = [line for line in lines if line.startswith(("feedback.", "spark."))]
    scope = {"spark": spark, "feedback": feedback}

    exec("\n".join(line for line in lines if line not in shown), scope)  # noqa: S102
    labels = [eval(line, scope).collect()[0][1] for line in shown]  # noqa: S307

    assert labels == ["joy", "joy"]


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))

    assert set(re.findall(r"`?make ([a-z]+)\b", README)) <= targets
