#!/usr/bin/env bash
# Make the environment of `make audit` and `make dist` in .venv-audit.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "setup: making .venv-audit"
[ -x .venv-audit/bin/python ] || python3 -m venv .venv-audit
.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/release-requirements.txt
touch .venv-audit/.ready
echo "setup: done"
