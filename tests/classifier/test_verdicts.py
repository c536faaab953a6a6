"""What a machine remembers of comparisons: what is believed, and what is compared again."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from emotion_udf.classifier import verdicts as module
from emotion_udf.classifier.artifact import Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.classifier.packing import TokenRows
from emotion_udf.classifier.verdicts import Verdicts

BF16 = torch.bfloat16
ARTIFACT = open_artifact(ArtifactSource())


@pytest.fixture
def kept(tmp_path: Path) -> Verdicts:
    """A folder that remembers one comparison."""
    verdicts = Verdicts(tmp_path / "verdicts")
    assert not verdicts.know(ARTIFACT, BF16)
    verdicts.keep(ARTIFACT, BF16)
    return verdicts


@pytest.fixture
def broken_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose labels in bf16 are wrong, so that a comparison would show."""
    honest = TorchEngine.probabilities

    def broken(self: TorchEngine, rows: TokenRows) -> Tensor:
        found = honest(self, rows)
        return found.roll(1, dims=1) if "bf16" in self.name else found

    monkeypatch.setattr(TorchEngine, "probabilities", broken)


def file_of(verdicts: Verdicts) -> Path:
    (file,) = verdicts.folder.iterdir()
    return file


def test_what_is_kept_is_known_and_is_for_its_user_alone(kept: Verdicts) -> None:
    assert kept.know(ARTIFACT, BF16)
    assert Verdicts(kept.folder).know(ARTIFACT, BF16)
    assert kept.folder.stat().st_mode & 0o077 == 0
    assert file_of(kept).suffix == ".json"


@pytest.mark.parametrize(
    ("artifact", "precision"),
    [(dataclasses.replace(ARTIFACT, fingerprint="0" * 32), BF16), (ARTIFACT, torch.float16)],
)
def test_another_model_or_precision_is_not_known(kept: Verdicts, artifact: Artifact, precision: torch.dtype) -> None:
    assert not kept.know(artifact, precision)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE"),
        lambda patch: patch.setattr(torch, "__version__", "2.99.0"),
        lambda patch: patch.setattr(np, "__version__", "9.0.0"),
        lambda patch: patch.setattr(module, "_PACKAGE", Path("another")),
        lambda patch: patch.setattr(module, "_PROCESSORS", Path(__file__)),
        lambda patch: patch.setattr(module, "_PROCESSORS", Path("no such file")),
    ],
)
def test_other_circumstances_are_another_comparison(
    kept: Verdicts, change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    assert not kept.know(ARTIFACT, BF16)


def test_the_processor_is_part_of_the_facts() -> None:
    first = module.facts_of(ARTIFACT, BF16)
    assert b'"processor"' in first
    assert b"MHz" not in first  # it changes from moment to moment
    assert first == module.facts_of(ARTIFACT, BF16)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00"])
def test_a_damaged_file_is_not_believed_and_written_anew(kept: Verdicts, content: bytes) -> None:
    file_of(kept).write_bytes(content)
    assert not kept.know(ARTIFACT, BF16)
    kept.keep(ARTIFACT, BF16)
    assert kept.know(ARTIFACT, BF16)


def test_a_file_of_other_facts_under_this_name_is_not_believed(kept: Verdicts) -> None:
    file = file_of(kept)
    kept.keep(ARTIFACT, torch.float16)
    (other,) = set(kept.folder.iterdir()) - {file}
    other.replace(file)
    assert not kept.know(ARTIFACT, BF16)


def test_a_folder_that_others_can_write_to_is_neither_believed_nor_used(kept: Verdicts) -> None:
    kept.folder.chmod(0o777)
    assert not kept.know(ARTIFACT, BF16)
    kept.keep(ARTIFACT, torch.float16)
    assert file_of(kept)


def test_a_link_is_neither_believed_nor_followed(kept: Verdicts, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(kept.folder)
    assert not Verdicts(link).know(ARTIFACT, BF16)
    Verdicts(link).keep(ARTIFACT, torch.float16)
    assert file_of(kept)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_believed(kept: Verdicts) -> None:
    os.chown(kept.folder, 65534, 65534)
    assert not kept.know(ARTIFACT, BF16)


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "missing" / "verdicts")
    verdicts.keep(ARTIFACT, BF16)
    assert not verdicts.know(ARTIFACT, BF16)


def test_a_users_folder_is_where_temporary_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert Verdicts.of_user().folder == tmp_path / f"emotion-udf-{os.geteuid()}"


def test_an_engine_that_held_is_kept_and_then_not_compared(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    verdicts = Verdicts(tmp_path / "verdicts")
    load_classifier(ARTIFACT, "cpu", precision="bf16", verdicts=verdicts)
    assert verdicts.know(ARTIFACT, BF16)
    request.getfixturevalue("broken_bf16")
    assert load_classifier(ARTIFACT, "cpu", precision="bf16", verdicts=verdicts).engine_name == "torch bf16 on cpu"
    assert "failed parity" in load_classifier(ARTIFACT, "cpu", precision="bf16").engine_name


@pytest.mark.usefixtures("broken_bf16")
def test_an_engine_that_did_not_hold_is_compared_each_time(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "verdicts")
    assert "failed parity" in load_classifier(ARTIFACT, "cpu", precision="bf16", verdicts=verdicts).engine_name
    assert not verdicts.folder.exists()
