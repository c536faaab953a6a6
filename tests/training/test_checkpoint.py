"""Training that is killed and started again, and states that must not be gone on from."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.errors import UsageError
from emotion_udf.settings.training import ConfidenceSettings, ObjectiveSettings, OptimizerSettings, TrainSettings
from emotion_udf.training.by_source import SetMetrics
from emotion_udf.training.card import CARD
from emotion_udf.training.checkpoint import Checkpoint
from emotion_udf.training.evaluation_file import EVALUATION
from emotion_udf.training.fine_tune import FineTuned, Progress, fine_tune
from emotion_udf.training.train import train
from tests.helpers.paths import ROOT
from tests.helpers.training import Start, Trained, as_toml, corpus

FOUR = OptimizerSettings(learning_rate=5e-3, batch_size=20, epochs=4, warmup_share=0.1, weight_decay=0.01)
NOISY = ObjectiveSettings(augmentation_share=0.5, label_smoothing=0.1)
STATE = {"state": {"step": torch.tensor(3.0)}, "epochs": [{"number": 1}], "best": {"weight": torch.arange(4.0)}}


class KilledError(Exception):
    """Stands for whatever ends a run in the middle."""


def killer(epoch: int) -> Callable[[Progress], None]:
    """Return an `on_progress` that ends the run in the middle of an epoch."""

    def on_progress(so_far: Progress) -> None:
        if so_far.epoch == epoch and so_far.sentences % 240 > 120:
            raise KilledError

    return on_progress


def without_pace(tuned: FineTuned[DistilBert]) -> list[object]:
    return [replace(epoch, samples_per_s=0.0) for epoch in tuned.epochs]


def assert_same(first: FineTuned[DistilBert], second: FineTuned[DistilBert]) -> None:
    """Compare bit by bit all but how fast it went."""
    assert without_pace(first) == without_pace(second)
    assert first.best.number == second.best.number
    theirs = second.network.state_dict()
    for name, weight in first.network.state_dict().items():
        assert torch.equal(weight, theirs[name]), name


# The loop


@pytest.mark.parametrize("average_decay", [0.0, 0.9])
@pytest.mark.parametrize("killed_in", [2, 4])
def test_a_killed_run_ends_as_an_unbroken_one(
    start: Start, tokenizer: MessageTokenizer, tmp_path: Path, average_decay: float, killed_in: int
) -> None:
    settings = OptimizerSettings(**FOUR.model_dump() | {"average_decay": average_decay, "precision": "fp32"})
    unbroken = fine_tune(start(), corpus(), tokenizer, settings, NOISY)
    checkpoint = Checkpoint(tmp_path / "state", "name")
    with pytest.raises(KilledError):
        fine_tune(start(), corpus(), tokenizer, settings, NOISY, checkpoint=checkpoint, on_progress=killer(killed_in))
    steps: list[Progress] = []
    again = fine_tune(start(), corpus(), tokenizer, settings, NOISY, checkpoint=checkpoint, on_progress=steps.append)
    assert_same(again, unbroken)
    assert {step.epoch for step in steps} == set(range(killed_in, 5))
    assert steps[-1].sentences == steps[-1].total


def test_a_run_may_be_killed_after_every_epoch(start: Start, tokenizer: MessageTokenizer, tmp_path: Path) -> None:
    settings = OptimizerSettings(**FOUR.model_dump() | {"average_decay": 0.9, "precision": "bf16"})
    checkpoint = Checkpoint(tmp_path / "state", "name")
    for killed_in in (2, 3, 4):
        with pytest.raises(KilledError):
            fine_tune(
                start(), corpus(), tokenizer, settings, NOISY, checkpoint=checkpoint, on_progress=killer(killed_in)
            )
    again = fine_tune(start(), corpus(), tokenizer, settings, NOISY, checkpoint=checkpoint)
    assert_same(again, fine_tune(start(), corpus(), tokenizer, settings, NOISY))


def test_a_finished_run_trains_no_further(start: Start, tokenizer: MessageTokenizer, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state", "name")
    first = fine_tune(start(), corpus(), tokenizer, FOUR, NOISY, checkpoint=checkpoint)
    steps: list[Progress] = []
    second = fine_tune(start(), corpus(), tokenizer, FOUR, NOISY, checkpoint=checkpoint, on_progress=steps.append)
    assert steps == []
    assert second.epochs == first.epochs
    assert_same(second, first)


def test_a_run_killed_in_its_first_epoch_begins_anew(start: Start, tokenizer: MessageTokenizer, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state", "name")
    with pytest.raises(KilledError):
        fine_tune(start(), corpus(), tokenizer, FOUR, NOISY, checkpoint=checkpoint, on_progress=killer(1))
    assert not checkpoint.folder.exists()
    assert checkpoint.load() is None


# All of training


def timeless(one: SetMetrics) -> dict[str, Any]:
    """Return metrics without the speed of scoring."""
    found = one.model_dump()
    found["emotions"].pop("samples_per_s")
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Read what a model folder holds, but for its card and its evaluation, which say how fast it was."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in (CARD, EVALUATION)}


@pytest.fixture
def killed(recipe: TrainSettings) -> TrainSettings:
    """The settings of a training that was killed in its second epoch."""
    with pytest.raises(KilledError):
        train(recipe, killer(2))
    return recipe


def test_a_killed_training_ends_with_the_model_of_an_unbroken_one(
    killed: TrainSettings, tmp_path: Path, trained: Trained
) -> None:
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labelled", "model.checkpoint", "tiny-base"]
    steps: list[Progress] = []
    results = train(killed, steps.append)
    assert {step.epoch for step in steps} == {2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labelled", "model", "tiny-base"]
    assert contents(tmp_path / "model") == contents(trained.folder)
    assert [timeless(one) for one in results] == [timeless(one) for one in trained.results]


def of_others(folder: Path) -> str:
    return (
        f"expected a checkpoint of these settings and data in {folder}, found one of others; remove the folder to "
        "begin anew, or set output.folder to another name"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": OptimizerSettings(learning_rate=4e-3, epochs=2, device="cpu", precision="fp32")},
        {"objective": ObjectiveSettings(label_smoothing=0.1)},
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(
    killed: TrainSettings, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(UsageError) as caught:
        train(killed.model_copy(update=changes))
    assert str(caught.value) == of_others(tmp_path / "model.checkpoint")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labelled", "model.checkpoint", "tiny-base"]


def test_a_checkpoint_of_other_data_is_refused(killed: TrainSettings, tmp_path: Path) -> None:
    with (tmp_path / "labelled" / "train.txt").open("a", encoding="utf-8") as stream:
        stream.write("i feel something new;joy\n")
    with pytest.raises(UsageError) as caught:
        train(killed)
    assert str(caught.value) == of_others(tmp_path / "model.checkpoint")


def test_the_threshold_may_be_chosen_otherwise_after_a_kill(killed: TrainSettings) -> None:
    otherwise = killed.model_copy(update={"confidence": ConfidenceSettings(accuracy=0.5)})
    with pytest.raises(KilledError):  # by this test again, so the state was accepted
        train(otherwise, killer(2))


# The state on disk


def plain(state: object) -> str:
    """Write a state as JSON, so that it can be compared."""
    return json.dumps(state, default=torch.Tensor.tolist)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "deep" / "state", "name")
    assert checkpoint.load() is None
    checkpoint.save({"epochs": []})
    checkpoint.save(STATE)
    assert plain(checkpoint.load()) == plain(STATE)
    assert [file.name for file in checkpoint.folder.iterdir()] == ["epoch.pt"]


def test_a_kill_while_saving_keeps_the_state_before(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "name")
    checkpoint.save(STATE)
    (tmp_path / "epoch.pt.partial").write_bytes((tmp_path / "epoch.pt").read_bytes()[:100])
    assert plain(checkpoint.load()) == plain(STATE)
    checkpoint.save({"epochs": [2]})
    assert checkpoint.load() == {"epochs": [2]}
    assert [file.name for file in tmp_path.iterdir()] == ["epoch.pt"]


def test_a_kill_while_saving_the_first_state_is_a_new_beginning(tmp_path: Path) -> None:
    (tmp_path / "epoch.pt.partial").write_bytes(b"half")
    assert Checkpoint(tmp_path, "name").load() is None


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for place in range(0, len(content), 97):
        content[place] ^= 0xFF
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def replace_by_text(file: Path) -> None:
    file.write_text("no checkpoint at all")


def replace_by_code(file: Path) -> None:
    torch.save({"name": "name", "state": KilledError("code")}, file)  # a class is not unpickled


@pytest.mark.parametrize("damage", [cut, flip, empty, replace_by_text, replace_by_code])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    checkpoint = Checkpoint(tmp_path / "model.checkpoint", "name")
    checkpoint.save(STATE)
    file = checkpoint.folder / "epoch.pt"
    damage(file)
    with pytest.raises(UsageError) as caught:
        checkpoint.load()
    assert str(caught.value) == f"expected a checkpoint at {file}, found a damaged file; remove {checkpoint.folder}"


@pytest.mark.parametrize("content", [[1, 2], {"state": {}}, {"name": "name"}])
def test_a_file_of_torch_that_is_no_checkpoint_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "epoch.pt")
    with pytest.raises(UsageError):
        Checkpoint(tmp_path, "name").load()


def test_a_checkpoint_of_another_name_is_refused(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "name").save(STATE)
    with pytest.raises(UsageError) as caught:
        Checkpoint(tmp_path, "another").load()
    assert str(caught.value) == of_others(tmp_path)
    assert plain(Checkpoint(tmp_path, "name").load()) == plain(STATE)


def test_removing_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "model.checkpoint", "name")
    checkpoint.remove()  # of nothing, it does nothing
    checkpoint.save(STATE)
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


# A real kill


def started(config: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "jobs/train_classifier.py", "--config", str(config)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_job_that_is_killed_goes_on_when_it_is_started_again(
    recipe: TrainSettings, tmp_path: Path, trained: Trained
) -> None:
    config = tmp_path / "train.toml"
    config.write_text(as_toml(recipe), encoding="utf-8")
    state = tmp_path / "model.checkpoint" / "epoch.pt"
    model = tmp_path / "model"

    with started(config) as job:
        while not state.exists():
            assert job.poll() is None, job.communicate()
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
    assert job.returncode == -signal.SIGKILL
    assert state.exists()
    assert not model.exists()

    with started(config) as job:
        out, err = job.communicate()
    assert job.returncode == 0, err
    assert out.endswith(f"model and card: {model}\n")
    assert "epoch=1 " not in err
    assert not state.parent.exists()
    assert contents(model) == contents(trained.folder)


def test_a_checkpoint_may_be_done_without(recipe: TrainSettings, tmp_path: Path) -> None:
    output = recipe.output.model_copy(update={"checkpoints": False})
    with pytest.raises(KilledError):
        train(recipe.model_copy(update={"output": output}), killer(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labelled", "tiny-base"]
