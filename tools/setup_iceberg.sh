#!/usr/bin/env bash
# Make the environment of the tests of Iceberg in .venv-iceberg: an older Spark and Iceberg's jar (400 MB), over .venv.
set -euo pipefail
cd "$(dirname "$0")/.."

# It brings Python, Java and all packages but Spark.
[ -e .venv/.ready ] || tools/setup.sh

echo "setup: making .venv-iceberg (a few minutes the first time)"
[ -x .venv-iceberg/bin/python ] || python3 -m venv .venv-iceberg
.venv-iceberg/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/iceberg-requirements.txt
# Found after the environment's own packages, so that Spark is the older one.
for packages in .venv-iceberg/lib/python*/site-packages; do
    realpath .venv/lib/python*/site-packages >"$packages/project.pth"
done
.venv/bin/python -m tools.relocate_jackson .venv-iceberg/lib/python*/site-packages/pyspark/jars .venv-iceberg/jackson.jar
touch .venv-iceberg/.ready
echo "setup: done"
