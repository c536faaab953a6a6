"""Describe where, with what and from which commit a benchmark runs. Needs the standard library only."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent

CPU_FLAGS: Final = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")
"""Instruction sets that decide the speed of matrix products, in /proc/cpuinfo's names."""

_PEERS = "ctranslate2 onnxruntime openvino spark-infer-ai transformers"
PACKAGES: Final = f"{_PEERS} pandas pyarrow pyspark tokenizers torch".split()


def describe_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """Return processor, logical cores, memory in GiB, system, and the load average in cores over the last minute.

    Args:
        cpuinfo: Linux's description of the processor; elsewhere there is no such file and no flag is known.
    """
    processor = _first_processor(cpuinfo)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": processor.get("model name", platform.processor() or "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in CPU_FLAGS if flag in processor.get("flags", "").split()],
        "memory_gib": round(memory / 2**30, 1),
        "os": platform.platform(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def computes_in_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor multiplies matrices in bf16 itself; elsewhere bf16 is slower than fp32."""
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(describe_machine(cpuinfo)["flags"])


def versions() -> dict[str, str]:
    """Return the versions of Python and of those of `PACKAGES` that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit(folder: Path = ROOT) -> str:
    """Return the commit that `folder` is at, with a + where files differ from it; "unknown" outside of git."""
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    return f"{head}+" if head and _git(folder, "status", "--porcelain") else head or "unknown"


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints; nothing where it cannot be asked."""
    git = shutil.which("git")
    if git is None:
        return ""
    # Without optional locks: a benchmark must not get in the way of a commit that is made meanwhile.
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    if not cpuinfo.is_file():
        return {}
    first = cpuinfo.read_text(encoding="utf-8").split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
