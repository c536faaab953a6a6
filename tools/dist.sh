#!/usr/bin/env bash
# Build what is published, into dist: the wheel, the source archive, a bill of the Python packages that an installation
# brings (CycloneDX), and their digests. The same commit gives the same wheel and archive, byte by byte.
set -euo pipefail
cd "$(dirname "$0")/.."

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
tools=$PWD/.venv-audit/bin
environment=build/dist/environment

rm -rf dist build/dist
mkdir -p build/dist
"$tools/python" -m build --no-isolation --outdir dist . >build/dist/log 2>&1 || { cat build/dist/log >&2; exit 1; }
wheel=$(echo dist/*.whl)

# The bill of materials is that of an environment which holds the wheel, what it needs, and nothing else.
echo "dist: installing $wheel into an empty environment"
python3 -m venv --without-pip "$environment"
"$tools/python" -m pip --python "$environment/bin/python" install --quiet --disable-pip-version-check \
    --constraint constraints.txt "$wheel"
"$tools/cyclonedx-py" environment --pyproject pyproject.toml --mc-type library --output-reproducible \
    --output-file "${wheel%-py3*}.cdx.json" "$environment/bin/python"
rm -rf "$environment"

(cd dist && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
