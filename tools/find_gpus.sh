#!/usr/bin/env bash
# Tells Spark which GPUs a machine has, as spark.worker.resource.gpu.discoveryScript (standalone) or
# spark.executor.resource.gpu.discoveryScript (YARN, Kubernetes): {"name": "gpu", "addresses": ["0", "1"]}.
set -euo pipefail

fail() {
    echo "error: $1" >&2
    exit 1
}

command -v nvidia-smi >/dev/null ||
    fail "expected nvidia-smi on the PATH, found none; install NVIDIA's driver here, or ask for no GPU on this machine"
found=$(nvidia-smi --query-gpu=index --format=csv,noheader) ||
    fail "expected GPUs that nvidia-smi lists, found that it fails; see what nvidia-smi says on this machine"
[[ $found =~ ^[0-9]+([[:space:]]+[0-9]+)*$ ]] ||
    fail "expected GPUs that nvidia-smi lists by their numbers, found none; see what nvidia-smi says on this machine"

mapfile -t numbers <<<"$found"
addresses=$(printf '"%s", ' "${numbers[@]}")
printf '{"name": "gpu", "addresses": [%s]}\n' "${addresses%, }"
