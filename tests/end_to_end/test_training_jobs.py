"""The jobs that train and evaluate, as people start them: what they leave, and what they say when they cannot."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.emotions import EMOTIONS
from emotion_udf.jobs import evaluate_classifier, train_classifier
from emotion_udf.settings.describe import describe_settings
from emotion_udf.settings.training import TrainSettings
from tests.helpers.facts import unstated
from tests.helpers.jobs import Ended, run_main
from tests.helpers.paths import SENTENCES_FILE
from tests.helpers.training import as_toml, make_recipe

FILES = ["confusion.png", "evaluation.json", "reliability.png", "worst_errors.csv"]
COLUMNS = {"text": ["a", "b"], "label": [0, 1]}
TEXT_OF = {"unknown.txt": "i feel fine;joy\nprivate words;happy\n", "empty.txt": "", "one.txt": "a;joy\nb;joy\n"}


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> "Here":
    return Here(capsys)


@dataclass(frozen=True)
class Here:
    """Runs a job in this process; what argparse refuses ends with SystemExit."""

    capsys: pytest.CaptureFixture[str]

    def train(self, arguments: Sequence[str]) -> Ended:
        return self._run(train_classifier.main, arguments)

    def evaluate(self, arguments: Sequence[str]) -> Ended:
        return self._run(evaluate_classifier.main, arguments)

    def _run(self, main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> Ended:
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = int(str(exit_.code))
        return Ended(code, *self.capsys.readouterr())


@dataclass(frozen=True)
class Recipe:
    """A settings file of a tiny training, the folder it lies in, and how to change it."""

    folder: Path

    def arguments(self, **changes: str) -> list[str]:
        changed = [f"--set={path.replace('__', '.')}={value}" for path, value in changes.items()]
        return [f"--config={self.folder / 'train.toml'}", *changed]

    def everything(self) -> list[str]:
        """List all files and folders, to see that nothing came or went."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


def make(folder: Path) -> Recipe:
    settings = make_recipe(folder, BUNDLED_FOLDER / "tokenizer.json")
    (folder / "train.toml").write_text(as_toml(settings), encoding="utf-8")
    return Recipe(folder)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return make(tmp_path)


# Training


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Ended]:
    recipe = make(tmp_path_factory.mktemp("trained"))
    return recipe, run_main(train_classifier.main, recipe.arguments())


def test_training_leaves_a_model_and_tells_where(trained: tuple[Recipe, Ended]) -> None:
    recipe, ended = trained
    assert ended.code == 0, ended.err
    assert ended.out.startswith("set ")
    assert ended.out.endswith(f"model and card: {recipe.folder / 'model'}\n")
    assert sorted(path.name for path in recipe.folder.iterdir()) == ["labelled", "model", "tiny-base", "train.toml"]
    assert sorted(path.name for path in (recipe.folder / "model").iterdir()) == [
        "MODEL_CARD.md",
        "canary.json",
        "config.json",
        "evaluation.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    for logged in ("source=dair-ai/emotion train=240 ", "epoch=1 ", "epoch=2 "):
        assert logged in ended.err
    assert "Traceback" not in ended.err
    assert "Warning" not in ended.err


def test_an_existing_output_folder_is_refused_at_once(recipe: Recipe, here: Here) -> None:
    (recipe.folder / "model").mkdir()
    before = recipe.everything()
    ended = here.train(recipe.arguments(data__source=str(recipe.folder / "nowhere")))
    assert_failed(ended, 2, [str(recipe.folder / "model"), "remove"])
    assert recipe.everything() == before


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"data__source": "{}/nowhere"}, ["{}/nowhere", "data.source"]),
        ({"data__source": "{}/unknown"}, ["{}/unknown/train.txt", "row 2", *EMOTIONS]),
        ({"data__source": "{}/empty"}, ["{}/empty/train.txt", "empty"]),
        ({"data__source": "{}/one"}, ["several emotions", "{}/one", "only joy"]),
        (
            {"data__source": "{}/parquet", "data__label": "emotion"},
            ["column emotion", "{}/parquet/train.parquet", "text, label", "data.label", "--label-column"],
        ),
        ({"data__source": "{}/order"}, ["{}/order/train.parquet", ", ".join(EMOTIONS), ", ".join(EMOTIONS[::-1])]),
    ],
)
def test_sentences_that_cannot_be_trained_on_end_with_3(
    recipe: Recipe, here: Here, changes: dict[str, str], facts: list[str]
) -> None:
    spoil(recipe.folder)
    before = recipe.everything()
    ended = here.train(recipe.arguments(**{path: value.format(recipe.folder) for path, value in changes.items()}))
    assert_failed(ended, 3, [fact.format(recipe.folder) for fact in facts])
    assert "private words" not in ended.err
    assert recipe.everything() == before


def assert_failed(ended: Ended, code: int, facts: list[str]) -> None:
    """Assert that there is one message, an error that states the facts, and nothing else."""
    assert (ended.code, ended.out, "Traceback" in ended.err) == (code, "", False)
    assert ended.err.startswith("error: ")
    assert unstated(facts, ended.err) == []


def spoil(folder: Path) -> None:
    """Make data sets whose training part is wrong, each in its own way."""
    for name in ("unknown", "empty", "one"):
        (folder / name).mkdir()
        for part, content in (
            ("train", TEXT_OF[f"{name}.txt"]),
            ("val", "c;joy\nd;fear\n"),
            ("test", "e;joy\nf;love\n"),
        ):
            (folder / name / f"{part}.txt").write_text(content, encoding="utf-8")
    described = {"info": {"features": {"label": {"names": EMOTIONS[::-1]}}}}
    for name, metadata in (("parquet", None), ("order", {"huggingface": json.dumps(described)})):
        (folder / name).mkdir()
        for part in ("train", "validation", "test"):
            table = pa.table(COLUMNS).replace_schema_metadata(metadata)
            pq.write_table(table, folder / name / f"{part}.parquet")


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"base__model": "/no/such/base"}, ["/no/such/base", "base.model"]),
        ({"optimizer__epochs": "0"}, ["{}/train.toml", "optimizer.epochs", "1", "found 0"]),
        ({"data__sorce": "x"}, ["{}/train.toml", "data.sorce", "did you mean data.source"]),
        ({"optimizer__precision": "fp16"}, ["precision = 'fp16'", "GPU", "bf16, fp32 or auto"]),
    ],
)
def test_wrong_settings_of_training_end_with_2(
    recipe: Recipe, here: Here, changes: dict[str, str], facts: list[str]
) -> None:
    before = recipe.everything()
    ended = here.train(recipe.arguments(**changes))
    assert_failed(ended, 2, [fact.format(recipe.folder) for fact in facts])
    assert recipe.everything() == before


# Evaluation


def test_what_was_trained_is_evaluated(trained: tuple[Recipe, Ended], here: Here, tmp_path: Path) -> None:
    recipe, _ = trained
    out = tmp_path / "out"
    ended = here.evaluate(
        [
            f"--model={recipe.folder / 'model'}",
            f"--data={recipe.folder / 'labelled'}",
            f"--out={out}",
            "--split=validation",
        ]
    )
    (written,) = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))["sets"]
    assert (ended.code, ended.err) == (0, "")
    assert f"{100 * written['emotions']['accuracy']:.1f} %" in ended.out
    assert "labels that are correct, by length" in ended.out
    assert ended.out.endswith(f"results: {out}\n")
    assert sorted(path.name for path in out.iterdir()) == FILES


@pytest.mark.parametrize(
    ("model", "source", "options", "code", "facts"),
    [
        ("bundled", "{}/nowhere", [], 3, ["{}/nowhere", "data.source"]),
        ("bundled", "{}/unknown", ["--split=train"], 3, ["{}/unknown/train.txt", *EMOTIONS]),
        ("bundled", "{}/one", ["--split=train"], 3, ["several emotions", "train", "{}/one", "only joy"]),
        (
            "bundled",
            "{}/parquet",
            ["--label-column=emotion", "--split=train"],
            3,
            ["column emotion", "{}/parquet/train.parquet", "text, label", "--label-column"],
        ),
        ("{}/nothing", "{}/parquet", [], 2, ["{}/nothing", "'bundled'", "classifier.revision"]),
        ("bundled", "{}/parquet", ["--at-least=loss=0.2"], 2, ["--at-least", "accuracy, macro_f1", "'loss=0.2'"]),
        ("bundled", "{}/parquet", ["--at-least=accuracy=93"], 2, ["--at-least", "from 0 to 1", "'accuracy=93'"]),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_one_message(
    here: Here, tmp_path: Path, model: str, source: str, options: list[str], code: int, facts: list[str]
) -> None:
    spoil(tmp_path)
    out = tmp_path / "out"
    arguments = [f"--model={model.format(tmp_path)}", f"--data={source.format(tmp_path)}", f"--out={out}"]
    ended = here.evaluate([*arguments, *options])
    assert_failed(ended, code, [fact.format(tmp_path) for fact in facts])
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data=x"], "the following arguments are required: --out"),
        (["--out=x"], "one of the arguments --config --data is required"),
        (["--data=x", "--out=y", "--split=dev"], "argument --split: invalid choice: 'dev'"),
    ],
)
def test_a_wrong_command_line_ends_with_2(here: Here, arguments: list[str], message: str) -> None:
    ended = here.evaluate(arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.slow
@pytest.mark.usefixtures("in_session")
def test_spark_gives_the_same_labels_and_a_floor_that_is_missed_ends_with_4(here: Here, tmp_path: Path) -> None:
    source, out = tmp_path / "labelled", tmp_path / "out"
    source.mkdir()
    lines = SENTENCES_FILE.read_text(encoding="utf-8").splitlines()
    wrong = ["i feel so happy and joyful today;sadness"]  # so that no classifier can be right everywhere
    (source / "test.txt").write_text("\n".join(lines + wrong), encoding="utf-8")

    ended = here.evaluate([f"--data={source}", f"--out={out}", "--through-spark", "--at-least=accuracy=0.999"])

    assert ended.code == 4, ended.err
    written = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    emotions = written["sets"][0]["emotions"]
    message = f"error: expected at least accuracy=0.999, found accuracy={emotions['accuracy']:.4f} on labelled, test"
    assert ended.err.splitlines()[-1] == message
    assert ended.out == ""
    assert emotions["sentences"] == 61
    assert written["through_spark"]["different_labels"] == 0
    assert written["through_spark"]["largest_difference"] <= 1e-4
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert [line for line in lines if line.rpartition(";")[0] in ended.err] == []


# Help


def test_help_of_training_explains_settings_and_exit_codes(here: Here) -> None:
    ended = here.train(["--help"])
    assert (ended.code, ended.err) == (0, "")
    for path, meaning in describe_settings(TrainSettings):
        assert f"\n  {path}\n      {meaning}" in ended.out
    for explained in ("--config FILE", "--set KEY.PATH=VALUE", "--debug", "conf/train.toml", "exit codes:"):
        assert explained in ended.out


def test_help_of_evaluation_explains_what_is_written_and_exit_codes(here: Here) -> None:
    ended = here.evaluate(["--help"])
    assert (ended.code, ended.err) == (0, "")
    options = (
        "--model",
        "--revision",
        "--data",
        "--data-revision",
        "--labels",
        "--text-column",
        "--label-column",
        "--split",
        "--config",
        "--root",
        "--out",
        "--at-least",
    )
    for explained in (*options, "--augmented", "--through-spark", "--debug", *FILES, "exit codes:", "4 a gate refused"):
        assert explained in ended.out
