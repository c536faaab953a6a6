"""Where and of what a benchmark was measured."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.machine import commit, computes_in_bf16, describe_machine, versions

CPUINFO = """\
processor\t: 0
model name\t: Example 9000
flags\t\t: fpu avx2 avx512f amx_tile amx_bf16 sse2

processor\t: 1
model name\t: Another
flags\t\t: fpu
"""


@pytest.fixture
def cpuinfo(tmp_path: Path) -> Path:
    """A /proc/cpuinfo of a processor with AMX."""
    file = tmp_path / "cpuinfo"
    file.write_text(CPUINFO, encoding="utf-8")
    return file


def test_a_processor_is_described_by_its_first_core(cpuinfo: Path) -> None:
    machine = describe_machine(cpuinfo)
    assert machine["cpu"] == "Example 9000"
    assert machine["flags"] == ["avx2", "avx512f", "amx_tile", "amx_bf16"]
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0


def test_bf16_is_known_by_the_flags(cpuinfo: Path, tmp_path: Path) -> None:
    assert computes_in_bf16(cpuinfo)
    (tmp_path / "old").write_text("flags : fpu avx2\n")
    assert not computes_in_bf16(tmp_path / "old")


def test_without_cpuinfo_there_are_no_flags(tmp_path: Path) -> None:
    machine = describe_machine(tmp_path / "none")
    assert machine["flags"] == []
    assert machine["cpu"]


def test_versions_name_what_is_installed() -> None:
    found = versions()
    assert {"python", "torch", "pyarrow"} <= set(found)
    assert "spark-infer-ai" not in found


def test_a_commit_has_a_plus_when_files_differ(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    clean = commit(tmp_path)
    assert len(clean) == 12
    (tmp_path / "file").write_text("2")
    assert commit(tmp_path) == f"{clean}+"


def test_outside_of_git_the_commit_is_unknown(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"
