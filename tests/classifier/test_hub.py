"""Files of the Hub, where `test_artifact` does not come by: data sets, branches, and names that are no ids."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.hub import is_hub_id, snapshot
from emotion_udf.errors import ModelError

Asked = list[dict[str, Any]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Fake the Hub: what it finds without the network, and with it; returns what it was asked."""

    def fake(local: Path | Exception, remote: Path | Exception | None = None) -> Asked:
        asked: Asked = []

        def download(hub_id: str, *, local_files_only: bool, **options: Any) -> str:
            asked.append({"hub_id": hub_id, "local_files_only": local_files_only, **options})
            answer = local if local_files_only else remote
            assert answer is not None, "the network was asked"
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
        return asked

    return fake


@pytest.mark.parametrize(
    "name", ["dair-ai/emotion", "distilbert/distilbert-base-uncased", "a/b", "0/9", "own.er/na.me", "a_b/c_d"]
)
def test_an_owner_and_a_name_are_an_id(name: str) -> None:
    assert is_hub_id(name)


@pytest.mark.parametrize(
    "name",
    ["", "/", "a", "a/", "/b", "a/b/c", "./a", "../a", "a/..", "-a/b", "a/.b", "a b/c", "a/b\n", "s3://a/b", "a\\b/c"],
)
def test_anything_else_is_no_id(name: str) -> None:
    assert not is_hub_id(name)


@given(st.text(max_size=12))
def test_an_id_has_one_slash_and_no_space(name: str) -> None:
    if is_hub_id(name):
        assert name.count("/") == 1
        assert name.split() == [name]


@pytest.mark.parametrize("repo_type", ["model", "dataset"])
@pytest.mark.parametrize("revision", [None, "main", "v1.0"])
def test_files_named_in_full_are_looked_for_here_first(
    hub: Callable[..., Asked], tmp_path: Path, repo_type: Any, revision: str | None
) -> None:
    asked = hub(LocalEntryNotFoundError("not here"), tmp_path)
    assert snapshot("owner/name", revision, ("a.json", "b.json"), repo_type) == tmp_path
    request = {
        "hub_id": "owner/name",
        "revision": revision,
        "repo_type": repo_type,
        "allow_patterns": ["a.json", "b.json"],
    }
    assert asked == [request | {"local_files_only": True}, request | {"local_files_only": False}]


@pytest.mark.parametrize("patterns", [("*.parquet",), ("a.json", "data/*.parquet")])
def test_the_hub_says_which_files_a_pattern_means(
    hub: Callable[..., Asked], tmp_path: Path, patterns: tuple[str, ...]
) -> None:
    asked = hub(AssertionError("the local copy was taken"), tmp_path)
    assert snapshot("owner/name", None, patterns, "dataset") == tmp_path
    assert [request["allow_patterns"] for request in asked] == [list(patterns)]


def test_a_repository_holds_a_model_unless_said_otherwise(hub: Callable[..., Asked], tmp_path: Path) -> None:
    asked = hub(tmp_path)
    snapshot("owner/name", None, ())
    assert [request["repo_type"] for request in asked] == ["model"]


def test_a_local_copy_that_has_every_named_file_is_taken(hub: Callable[..., Asked], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.json", "deep/b.json"):
        (tmp_path / name).touch()
    hub(tmp_path)
    assert snapshot("owner/name", None, ("a.json", "deep/b.json")) == tmp_path


@pytest.mark.parametrize("missing", ["a.json", "deep/b.json"])
def test_a_local_copy_that_lacks_a_named_file_is_not(hub: Callable[..., Asked], tmp_path: Path, missing: str) -> None:
    local, remote = tmp_path / "local", tmp_path / "remote"
    (local / "deep").mkdir(parents=True)
    for name in {"a.json", "deep/b.json"} - {missing}:
        (local / name).touch()
    hub(local, remote)
    assert snapshot("owner/name", None, ("a.json", "deep/b.json")) == remote


def refusal(hub_id: str, revision: str | None) -> str:
    with pytest.raises(ModelError) as caught:
        snapshot(hub_id, revision, ("a.json",))
    return str(caught.value)


@pytest.mark.parametrize(("revision", "named"), [(None, "its main branch"), ("v1.0", "v1.0")])
def test_a_failure_names_the_branch(hub: Callable[..., Asked], revision: str | None, named: str) -> None:
    hub(LocalEntryNotFoundError("not here"), TimeoutError("slow"))
    assert refusal("owner/name", revision) == (
        f"expected to load owner/name at {named} from the Hub, found neither a local copy nor an answer "
        "(TimeoutError); check the id and the revision, or download the folder and name its path"
    )


@pytest.mark.parametrize("name", ["owner/na--me", "owner/na..me", "owner/name-", f"owner/{'x' * 100}", "my encoder"])
def test_a_name_that_the_hub_refuses_is_a_model_error(name: str) -> None:
    # Not faked: the name is refused before anything is asked.
    assert refusal(name, None).startswith(f"expected to load {name} at its main branch from the Hub, ")
