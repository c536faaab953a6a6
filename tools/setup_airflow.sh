#!/usr/bin/env bash
# Make the environment of Airflow in .venv-airflow, for the tests of conf/airflow: what tools/airflow-requirements.txt pins.
# Apart from .venv, whose packages Airflow's requirements would change.
set -euo pipefail
cd "$(dirname "$0")/.."

# It brings Python, Java and the project's environment, in which the job runs that Airflow starts.
[ -e .venv/.ready ] || tools/setup.sh

echo "setup: making .venv-airflow (a few minutes the first time)"
[ -x .venv-airflow/bin/python ] || python3 -m venv .venv-airflow
.venv-airflow/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/airflow-requirements.txt
touch .venv-airflow/.ready
echo "setup: done"
