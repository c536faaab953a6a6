from pathlib import Path

import pytest

from emotion_udf.errors import UsageError
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.settings.pseudonym_key import KEY_VARIABLE, read_key

KEY = "k" * 32


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)

    assert read_key(InputSettings(path="/x", pseudonymise=["id"])) == KEY.encode()


def test_a_file_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "of another job" * 3)
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")

    assert read_key(InputSettings(path="/x", pseudonymise=["id"], pseudonym_key_file=str(file))) == KEY.encode()


@pytest.mark.parametrize("found", ["", "short", "k" * 31 + "\n"])
def test_a_short_key_is_refused_without_a_word_of_it(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, found)

    with pytest.raises(UsageError, match="32 bytes or more") as raised:
        read_key(InputSettings(path="/x", pseudonymise=["id"]))
    assert not found or found not in str(raised.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pseudonym_key_file.*FileNotFoundError"):
        read_key(InputSettings(path="/x", pseudonymise=["id"], pseudonym_key_file=str(tmp_path / "none")))
