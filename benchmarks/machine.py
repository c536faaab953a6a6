"""Where, with what and of which commit a benchmark was measured. Needs the standard library only."""

import json
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypedDict

ROOT: Final = Path(__file__).resolve().parent.parent

FLAGS_THAT_MATTER: Final = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")
"""What decides the speed of matrix products, in /proc/cpuinfo's names."""

PACKAGES: Final = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyspark",
    "ray",
    "safetensors",
    "spark-infer-ai",
    "tokenizers",
    "torch",
    "transformers",
)

_GIB = 2**30


class Machine(TypedDict):
    """The machine that a benchmark ran on.

    Args:
        cpu: The processor's model.
        cores: Logical cores that this process may use.
        flags: Those of `FLAGS_THAT_MATTER` that the processor has.
        memory_gib: Physical memory.
        os: Operating system and kernel.
        load_average: Of the last minute when it was asked: what else was running, in cores.
    """

    cpu: str
    cores: int
    flags: list[str]
    memory_gib: float
    os: str
    load_average: float


def describe_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """Describe the machine this process runs on.

    Args:
        cpuinfo: Linux's description of the processor; elsewhere the fields that come from it stay empty.
    """
    processor = _processor(cpuinfo)
    return Machine(
        cpu=processor.get("model name", platform.processor() or "unknown"),
        cores=len(os.sched_getaffinity(0)),
        flags=cpu_flags(cpuinfo),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB, 1),
        os=platform.platform(),
        load_average=round(os.getloadavg()[0], 2),
    )


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Return those of `FLAGS_THAT_MATTER` that the processor has."""
    flags = _processor(cpuinfo).get("flags", "").split()
    return [flag for flag in FLAGS_THAT_MATTER if flag in flags]


def computes_in_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the processor multiplies matrices in bf16 itself; elsewhere bf16 is slower than fp32."""
    return bool({"amx_bf16", "avx512_bf16"}.intersection(cpu_flags(cpuinfo)))


def versions() -> dict[str, str]:
    """Return the versions of Python and of those of `PACKAGES` that this environment has."""
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
    if head is None:
        return "unknown"
    return f"{head}+" if _git(folder, "status", "--porcelain") else head


def write_result(out: Path, measured: dict[str, Any]) -> None:
    """Write what was measured as JSON, with the machine, the versions and the commit."""
    about: dict[str, Any] = {"machine": describe_machine(), "versions": versions(), "commit": commit()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(about | measured, indent=2) + "\n", encoding="utf-8")


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says, None when it cannot be asked."""
    git = shutil.which("git")
    if git is None:
        return None
    # Without optional locks, for a benchmark must not get in the way of a commit that somebody makes meanwhile.
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - nothing from outside
    return done.stdout.strip() if done.returncode == 0 else None


def _processor(cpuinfo: Path) -> dict[str, str]:
    """Read the first processor's entries."""
    if not cpuinfo.is_file():
        return {}
    first = cpuinfo.read_text(encoding="utf-8").split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
