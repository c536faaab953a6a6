"""Ways to start the nightly job."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from emotion_udf.jobs.score_feedback import main
from tests.helpers.jobs import Ended, Submit, run_main, submit
from tests.helpers.paths import ROOT


@pytest.fixture(scope="session")
def spark_submit() -> Submit:
    """Start the job as a scheduler does, which takes a Java and a Spark of its own each time."""
    return submit


@pytest.fixture(scope="module")
def in_session(spark: SparkSession) -> Iterator[SparkSession]:
    """The session of all tests, which the jobs take and leave open: they would stop one of their own at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(spark), "stop", lambda _: None)
        yield spark


@pytest.fixture(scope="module")
def score_feedback(in_session: SparkSession) -> Submit:  # noqa: ARG001 (it is what the job takes)
    """Run the job in this process, from the project's root."""

    def run(*arguments: str) -> Ended:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            return run_main(main, arguments)

    return run
