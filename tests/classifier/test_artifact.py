import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from emotion_udf.classifier import artifact
from emotion_udf.classifier.artifact import BUNDLED_FOLDER, Artifact, ArtifactSource, open_artifact
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = ("config.json", "model.safetensors", "tokenizer.json")


def open_at(folder: Path, labels: tuple[str, ...] | None = None) -> Artifact:
    return open_artifact(ArtifactSource(str(folder), labels=labels))


def refusal(source: ArtifactSource) -> str:
    with pytest.raises(ModelError) as caught:
        open_artifact(source)
    return str(caught.value)


def by_id(labels: list[str] | tuple[str, ...]) -> dict[str, str]:
    return {str(i): label for i, label in enumerate(labels)}


GENERIC = by_id([f"LABEL_{i}" for i in range(6)])


def test_the_bundled_classifier_opens() -> None:
    bundled = open_artifact(ArtifactSource())
    assert bundled.folder == BUNDLED_FOLDER
    assert bundled.max_tokens == 512
    assert bundled.weights_sha256 == artifact.BUNDLED_WEIGHTS_SHA256
    assert len(bundled.fingerprint) == 32


def test_one_flipped_bit_of_the_bundled_weights_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bundled"
    shutil.copytree(BUNDLED_FOLDER, folder)
    monkeypatch.setattr(artifact, "BUNDLED_FOLDER", folder)
    assert open_artifact(ArtifactSource()).folder == folder

    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    found = refusal(ArtifactSource())
    assert artifact.BUNDLED_WEIGHTS_SHA256 in found
    assert "install the package again" in found


def test_a_pinned_model_is_the_one_or_refused(tiny_folder: Path) -> None:
    fingerprint = open_at(tiny_folder).fingerprint
    assert open_artifact(ArtifactSource(str(tiny_folder), expect=fingerprint)).fingerprint == fingerprint

    tokenizer = tiny_folder / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes() + b" ")
    found = refusal(ArtifactSource(str(tiny_folder), expect=fingerprint))
    assert f"expected the model {fingerprint} (classifier.expect)" in found


def test_the_bundled_weights_are_small_enough_to_ship() -> None:
    assert (BUNDLED_FOLDER / "model.safetensors").stat().st_size <= 48_000_000


def test_a_local_folder_opens(tiny_folder: Path) -> None:
    artifact = open_at(tiny_folder)
    assert artifact.folder == tiny_folder
    assert artifact.max_tokens == 64


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal(ArtifactSource(f"{tmp_path}/none")) == (
        f"expected a model folder at {tmp_path}/none, found none; give 'bundled', an existing folder, or a Hub id "
        "(owner/name) with classifier.revision set to the 40-digit commit to take it at"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tiny_folder: Path, name: str) -> None:
    (tiny_folder / name).unlink()
    assert refusal(ArtifactSource(str(tiny_folder))) == (
        f"expected {name} in {tiny_folder}, found no such file; name the folder of a complete model"
    )


def test_weights_that_can_run_code_are_refused(tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").rename(tiny_folder / "pytorch_model.bin")
    assert refusal(ArtifactSource(str(tiny_folder))) == (
        f"expected model.safetensors in {tiny_folder}, found only .bin weights, which can run code when loaded; "
        "convert them with save_pretrained(…)"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "bert", "architectures": ["BertForSequenceClassification"]},
        {"model_type": "bert"},
        {"architectures": ["DistilBertModel"]},
        {"architectures": []},
        {"architectures": None},
    ],
)
def test_another_architecture_is_refused(edit_config: Callable[..., Path], changes: dict[str, Any]) -> None:
    folder = edit_config(**changes)
    assert refusal(ArtifactSource(str(folder))).startswith(
        f"expected DistilBertForSequenceClassification in {folder}/config.json, found model_type "
        f"'{changes.get('model_type', 'distilbert')}' with architectures "
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"{}", b"\xff\xfe"])
def test_a_configuration_that_cannot_be_read_is_refused(tiny_folder: Path, content: bytes) -> None:
    (tiny_folder / "config.json").write_bytes(content)
    assert refusal(ArtifactSource(str(tiny_folder))) == (
        f"expected a model configuration in {tiny_folder}/config.json, found no readable one"
    )


@pytest.mark.parametrize(
    "labels",
    [
        ["negative", "positive"],
        ["joy", "sadness", "love", "anger", "fear", "surprise"],
        list(EMOTIONS[:5]),
        [*EMOTIONS, "neutral"],
        [],
    ],
)
@pytest.mark.parametrize("stated", [None, EMOTIONS])
def test_other_labels_are_refused_whatever_settings_state(
    edit_config: Callable[..., Path], labels: list[str], stated: tuple[str, ...] | None
) -> None:
    folder = edit_config(id2label=by_id(labels))
    message = refusal(ArtifactSource(str(folder), labels=stated))
    assert message.startswith(
        "expected the labels sadness, joy, love, anger, fear, surprise in this order in "
        f"{folder}/config.json, found {', '.join(labels) or 'none'}; "
    )


def test_labels_are_read_by_id_and_without_case(edit_config: Callable[..., Path]) -> None:
    folder = edit_config(id2label={str(i): EMOTIONS[i].title() for i in (5, 3, 1, 0, 2, 4)})
    assert open_at(folder).max_tokens == 64


def test_numbered_labels_need_their_meaning(edit_config: Callable[..., Path]) -> None:
    folder = edit_config(id2label=GENERIC)
    assert "found LABEL_0, LABEL_1, LABEL_2, LABEL_3, LABEL_4, LABEL_5; name a model" in refusal(
        ArtifactSource(str(folder))
    )
    assert open_at(folder, EMOTIONS).folder == folder


@pytest.mark.parametrize("stated", [("joy", "sadness", *EMOTIONS[2:]), EMOTIONS[:5]])
def test_a_stated_meaning_must_be_the_six_in_order(edit_config: Callable[..., Path], stated: tuple[str, ...]) -> None:
    folder = edit_config(id2label=GENERIC)
    assert f"found {', '.join(stated)}; name a model" in refusal(ArtifactSource(str(folder), labels=stated))


def test_the_fingerprint_stays_when_the_folder_moves(tiny_folder: Path, tmp_path: Path) -> None:
    before = open_at(tiny_folder)
    (tiny_folder / "MODEL_CARD.md").write_text("a card")
    moved = open_at(tiny_folder.rename(tmp_path / "moved"))
    assert (moved.fingerprint, moved.weights_sha256) == (before.fingerprint, before.weights_sha256)


@pytest.mark.parametrize("name", FILES)
def test_the_fingerprint_changes_with_each_file(tiny_folder: Path, name: str) -> None:
    before = open_at(tiny_folder)
    with (tiny_folder / name).open("ab") as stream:
        stream.write(b"\n")
    after = open_at(tiny_folder)
    assert after.fingerprint != before.fingerprint
    assert (after.weights_sha256 != before.weights_sha256) == (name == "model.safetensors")


# The Hub. Its network call is the one edge that is faked here.


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if anything is asked of the Hub, or of its local copies."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the Hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


@pytest.mark.usefixtures("no_hub")
def test_a_hub_id_without_a_revision_is_refused() -> None:
    assert refusal(ArtifactSource("owner/name")).startswith("expected a model folder at owner/name, found none; ")


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/1", COMMIT[:39], COMMIT.upper(), "", f"{COMMIT}\n"])
def test_a_revision_that_can_move_is_refused(revision: str) -> None:
    assert refusal(ArtifactSource("owner/name", revision)) == (
        f"expected classifier.revision to be a 40-digit commit, found {revision!r}; a branch or tag can move, and "
        "every night must run the same weights"
    )


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("model", ["name", "/owner/name", "../name", "a/b/c", "owner/", "s3://bucket/name"])
def test_what_is_no_hub_id_is_not_looked_up(model: str) -> None:
    assert refusal(ArtifactSource(model, COMMIT)).startswith(f"expected a model folder at {model}, found none; ")


@pytest.mark.usefixtures("no_hub")
def test_a_local_folder_wins_over_a_hub_id(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_folder, tmp_path / "owner" / "name")
    assert open_artifact(ArtifactSource("owner/name", COMMIT)).folder == Path("owner/name")


def not_found() -> RepositoryNotFoundError:
    response: Any = SimpleNamespace(headers={}, request=None, status_code=404)
    return RepositoryNotFoundError("404 Client Error", response=response)


@pytest.mark.parametrize(
    "answer", [LocalEntryNotFoundError("no network"), not_found(), ConnectionError("refused"), TimeoutError("slow")]
)
def test_a_hub_that_gives_no_model_is_a_model_error(monkeypatch: pytest.MonkeyPatch, answer: Exception) -> None:
    def download(*_: Any, local_files_only: bool, **__: Any) -> NoReturn:
        raise LocalEntryNotFoundError("not here") if local_files_only else answer

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert refusal(ArtifactSource("owner/name", COMMIT)) == (
        f"expected to load owner/name at {COMMIT} from the Hub, found neither a local copy nor an answer "
        f"({type(answer).__name__}); check the id and the revision, or download the folder and name its path"
    )


def test_the_hub_is_asked_for_three_files_of_one_commit(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def download(hub_id: str, **options: Any) -> str:
        asked.append({"hub_id": hub_id, **options})
        if options["local_files_only"]:
            raise LocalEntryNotFoundError("not here")
        return str(tiny_folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert open_artifact(ArtifactSource("owner/name", COMMIT)).folder == tiny_folder
    request = {"hub_id": "owner/name", "revision": COMMIT, "repo_type": "model", "allow_patterns": list(FILES)}
    assert [call | {"allow_patterns": sorted(call["allow_patterns"])} for call in asked] == [
        request | {"local_files_only": True},
        request | {"local_files_only": False},
    ]


def test_a_local_snapshot_is_used_without_the_network(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "hub" / "models--owner--name" / "snapshots" / COMMIT
    shutil.copytree(tiny_folder, snapshot)
    really = huggingface_hub.snapshot_download

    def offline(*arguments: Any, local_files_only: bool, **options: Any) -> str:
        assert local_files_only, "the network was asked"
        folder: str = really(*arguments, local_files_only=True, cache_dir=tmp_path / "hub", **options)
        return folder

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    artifact = open_artifact(ArtifactSource("owner/name", COMMIT))
    assert artifact.folder == snapshot
    assert artifact.fingerprint == open_at(tiny_folder).fingerprint


def test_an_incomplete_snapshot_is_completed(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = tmp_path / "partial"
    partial.mkdir()
    shutil.copy(tiny_folder / "config.json", partial)

    def download(*_: Any, local_files_only: bool, **__: Any) -> str:
        return str(partial if local_files_only else tiny_folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert open_artifact(ArtifactSource("owner/name", COMMIT)).folder == tiny_folder


@pytest.mark.parametrize(
    "changes", [{"architectures": None}, {"id2label": None}, {"id2label": list(EMOTIONS)}, {"id2label": {"a": "joy"}}]
)
def test_odd_values_in_the_configuration_are_refused(tiny_folder: Path, changes: dict[str, Any]) -> None:
    file = tiny_folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    refusal(ArtifactSource(str(tiny_folder)))
