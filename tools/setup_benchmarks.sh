#!/usr/bin/env bash
# Make the environment of the benchmarks' peers in .venv-benchmarks: what benchmarks/requirements.txt pins, and for the
# rest what constraints.txt pins. Apart from .venv, so that no peer's requirements reach the project's own environment.
set -euo pipefail
cd "$(dirname "$0")/.."

# It brings Python, Java and the project's environment, which runs this project's side of every comparison.
[ -e .venv/.ready ] || tools/setup.sh

echo "setup: making .venv-benchmarks (a few minutes the first time)"
[ -x .venv-benchmarks/bin/python ] || python3 -m venv .venv-benchmarks
export PIP_CONSTRAINT=$PWD/constraints.txt
.venv-benchmarks/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt
touch .venv-benchmarks/.ready
echo "setup: done"
