"""Sources: where their splits are found, and what their labels mean."""

from pathlib import Path
from typing import Any, NoReturn

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils._paths import filter_repo_objects

from emotion_udf.errors import InputError, UsageError
from emotion_udf.settings.labelled import SourceSettings
from emotion_udf.training.formats import Rows
from emotion_udf.training.labels import NEUTRAL, UNLABELLED, LabelledTexts, label_number
from emotion_udf.training.sources import is_missing, read_source, translate
from tests.helpers.training import write_lines

POSITIVE = label_number([1, 2])
SPLITS = {
    "train": LabelledTexts(["a", "b"], [1, 4]),
    "validation": LabelledTexts(["c"], [1]),
    "test": LabelledTexts(["d", "e"], [3, 0]),
}


def source(path: Path | str = "labelled", **settings: Any) -> SourceSettings:
    return SourceSettings.model_validate({"name": "source", "path": str(path)} | settings)


def write_parquet(file: Path, labelled: LabelledTexts) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": labelled.texts, "label": labelled.labels}), file)


# Files


@pytest.mark.parametrize("form", ["txt", "parquet"])
@pytest.mark.parametrize("validation", ["val", "validation"])
@pytest.mark.parametrize("place", ["", "split", "data"])
def test_splits_are_found_by_their_names(tmp_path: Path, place: str, validation: str, form: str) -> None:
    write = write_lines if form == "txt" else write_parquet
    for split, labelled in SPLITS.items():
        write(tmp_path / place / f"{split.replace('validation', validation)}.{form}", labelled)
    write_lines(tmp_path / "training.txt", SPLITS["train"])
    write_parquet(tmp_path / "unsplit" / "train-00000-of-00001.parquet", SPLITS["train"])
    assert read_source(source(tmp_path)) == SPLITS
    assert read_source(source(tmp_path), wanted=["test"]) == {"test": SPLITS["test"]}


def test_a_split_in_several_files_is_read_in_their_order(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        write_parquet(tmp_path / f"train-0000{number}-of-00003.parquet", LabelledTexts([f"text {number}"], [number]))
    assert read_source(source(tmp_path)) == {"train": LabelledTexts(["text 0", "text 1", "text 2"], [0, 1, 2])}


@pytest.mark.parametrize("parquet", ["train.parquet", "train-00000-of-00001.parquet"])
def test_two_forms_of_one_split_are_refused(tmp_path: Path, parquet: str) -> None:
    write_lines(tmp_path / "train.txt", SPLITS["train"])
    write_parquet(tmp_path / parquet, SPLITS["train"])
    with pytest.raises(InputError, match=rf"expected one form of train in .*, found train\.txt and {parquet}"):
        read_source(source(tmp_path))


@pytest.mark.parametrize(
    ("rows", "texts"), [("all", ["a", "b", "c"]), ("odd", ["a", "c"]), ("even", ["b"])]
)  # as people count, from 1
def test_a_split_may_be_every_second_row(tmp_path: Path, rows: str, texts: list[str]) -> None:
    (tmp_path / "films.tsv").write_text("a\t1\nb\t0\nc\t1\n")
    films = source(
        tmp_path,
        format="tab",
        label_names=["bad", "good"],
        labels={"good": ["joy", "love"], "bad": "anger"},
        splits={"validation": {"file": "films.tsv", "rows": rows}},
    )
    found = read_source(films)["validation"]
    assert found.texts == texts
    assert set(found.labels) <= {POSITIVE, 3}


def test_paths_start_from_the_root(tmp_path: Path) -> None:
    write_lines(tmp_path / "deep" / "test.txt", SPLITS["test"])
    assert read_source(source("deep"), str(tmp_path)) == {"test": SPLITS["test"]}
    assert not is_missing(source("deep"), str(tmp_path))
    assert is_missing(source("elsewhere"), str(tmp_path))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"labelled sentences in the folder {tmp_path}/none, found no such folder"):
        read_source(source(tmp_path / "none"))
    with pytest.raises(InputError, match=r"files named train, validation, test in .*, found none"):
        read_source(source(tmp_path))


# Labels


@pytest.mark.parametrize(
    ("labels", "several", "expected"),
    [
        (["joy"], "agree", 1),
        (["amusement", "joy"], "agree", 1),
        (["joy", "love"], "agree", None),
        (["neutral"], "agree", NEUTRAL),
        (["neutral", "joy"], "agree", None),
        (["gratitude"], "agree", POSITIVE),
        (["gratitude", "love"], "agree", 2),
        (["joy", "unknown"], "agree", None),
        (["unknown"], "agree", None),
        (["joy", "love"], "agree_else_any", POSITIVE),
        (["gratitude", "love"], "agree_else_any", 2),
        (["joy", "neutral"], "agree_else_any", label_number([1, NEUTRAL])),
        (["joy", "unknown"], "agree_else_any", 1),
        (["unknown"], "agree_else_any", None),
    ],
)
def test_several_labels_mean_what_fits_all_of_them(labels: list[str], several: str, expected: int | None) -> None:
    meanings = {"joy": "joy", "amusement": "joy", "love": "love", "neutral": "neutral", "gratitude": ["joy", "love"]}
    found = translate(Rows(["a"], [labels]), source(labels=meanings, several=several), Path("file"))
    assert found.labels == ([] if expected is None else [expected])


def test_without_a_mapping_labels_are_emotions_or_neutral() -> None:
    found = translate(Rows(["a", "b"], [["fear"], ["neutral"]]), source(), Path("file"))
    assert found == LabelledTexts(["a", "b"], [4, NEUTRAL])
    with pytest.raises(InputError, match=r"row 2: expected a label of sadness, joy, .*neutral"):
        translate(Rows(["a", "secret words"], [["fear"], ["happy"]]), source(), Path("file"))


def test_unlabelled_sentences_may_be_anything() -> None:
    assert translate(Rows(["a"], [[]]), source(unlabelled=True), Path("file")).labels == [UNLABELLED]


# The Hub. Its network call is the one edge that is faked here.

ON_THE_HUB = [
    "README.md",
    "split/test-00000-of-00001.parquet",
    "split/train-00000-of-00001.parquet",
    "split/validation-00000-of-00001.parquet",
    "unsplit/train-00000-of-00001.parquet",
]


def write_hub_files(folder: Path, files: list[str]) -> None:
    """Write what dair-ai/emotion has on the Hub; `unsplit` is another set, and not to be read."""
    for file in files:
        if file.startswith("split/"):
            write_parquet(folder / file, SPLITS[file.removeprefix("split/").partition("-")[0]])


def test_a_hub_id_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def download(hub_id: str, **options: Any) -> str:
        asked.append({"hub_id": hub_id, **options})
        wanted = list(filter_repo_objects(ON_THE_HUB, allow_patterns=options["allow_patterns"]))
        assert wanted == [file for file in ON_THE_HUB if file.startswith("split/")]
        write_hub_files(tmp_path, wanted)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert read_source(source("dair-ai/emotion", revision="v1")) == SPLITS
    assert [(a["hub_id"], a["revision"], a["repo_type"], a["local_files_only"]) for a in asked] == [
        ("dair-ai/emotion", "v1", "dataset", False),
    ]


@pytest.mark.parametrize("place", ["", "data/"])
def test_other_layouts_of_the_hub_are_downloaded_too(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    patterns: list[str] = []

    def download(*_: Any, allow_patterns: list[str], **__: Any) -> NoReturn:
        patterns.extend(allow_patterns)
        raise LocalEntryNotFoundError("not here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(UsageError, match="expected to load owner/name at its main branch from the Hub, found neither"):
        read_source(source("owner/name"))
    files = [f"{place}{name}.parquet" for name in ("train", "val", "validation-00000-of-00002", "test")]
    assert list(filter_repo_objects(files, allow_patterns=patterns)) == files


def test_an_incomplete_local_copy_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hub_files(tmp_path / "partial", ON_THE_HUB[:2])
    write_hub_files(tmp_path / "whole", ON_THE_HUB)

    def download(*_: Any, local_files_only: bool, **__: Any) -> str:
        return str(tmp_path / ("partial" if local_files_only else "whole"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert read_source(source("dair-ai/emotion"))["train"] == SPLITS["train"]


def test_a_local_folder_wins_over_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the Hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "dair-ai" / "emotion" / "test.txt", SPLITS["test"])
    assert read_source(source("dair-ai/emotion")) == {"test": SPLITS["test"]}
