"""Airflow, where `make test-schedulers` has made its environment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.airflow import BIN, Airflow

NewAirflow = Callable[[str], Airflow]
"""Makes an Airflow with an empty database of its own."""


@pytest.fixture(scope="session")
def new_airflow(tmp_path_factory: pytest.TempPathFactory) -> NewAirflow:
    if not (BIN / "airflow").exists():
        pytest.skip("needs Airflow in .venv-airflow, found none; run tools/setup_airflow.sh")

    def make(name: str) -> Airflow:
        airflow = Airflow(Path(tmp_path_factory.mktemp(name)))
        airflow.run("db", "migrate")
        return airflow

    return make
