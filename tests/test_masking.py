import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.errors import InputError, from_worker
from emotion_udf.masking import holds_secret, masked, printable

WORDS = st.text(st.sampled_from("abcXYZ019_-.~%+"), min_size=1, max_size=20)


@given(WORDS, WORDS, st.sampled_from(["", "in: ", "'"]), st.sampled_from(["", "/a/b", "/a b", ":8080/x", "'"]))
def test_the_password_of_an_address_is_never_shown(user: str, password: str, before: str, after: str) -> None:
    shown = masked(f"{before}s3a://{user}:{password}@host{after}")

    assert shown == f"{before}s3a://{user}:***@host{after}"
    assert masked(shown) == shown


@given(
    st.sampled_from(["sig", "X-Amz-Signature", "sas_token", "client_secret", "access_key", "PASSWORD", "Key"]), WORDS
)
def test_a_signature_behind_an_address_is_never_shown(name: str, value: str) -> None:
    address = f"https://host/a?version=2&{name}={value}&region=eu"

    assert masked(address) == f"https://host/a?version=2&{name}=***&region=eu"
    assert holds_secret(address)


@given(WORDS)
def test_the_password_of_a_connection_string_is_never_shown(password: str) -> None:
    for text in (f"host=db password={password} user=me", f"host=db sslpassword='{password} x' user=me"):
        assert password not in masked(text).partition("password=")[2].removesuffix(" user=me")
        assert masked(text).endswith("password=*** user=me")
        assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "/lake/password=1/part.parquet",
        "host=db passfile=/etc/pgpass",
        "s3a://bucket/lake?region=eu-central-1",
        "abfss://container@account.dfs.core.windows.net/lake",
        "hdfs://server:8020/lake",
        "/lake/key=1/sig=2/part.parquet",
        "expected text_key=4, found 5",
        "12:30:15 someone@example.org",
        "file:///a:b@c",
    ],
)
def test_other_addresses_stay_as_they_are(text: str) -> None:
    assert masked(text) == text
    assert not holds_secret(text)


def test_what_the_environment_keeps_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "EMOTION_UDF_PSEUDONYM_KEY", "AZURE_STORAGE_KEY", "PGPASSWORD"):
        monkeypatch.setenv(name, f"value-of-{name}")
        assert masked(f"found 'value-of-{name}' here") == "found '***' here"
    monkeypatch.setenv("SHORT_TOKEN", "the")
    assert masked("the end") == "the end"


def test_a_token_of_the_hub_is_known_by_its_look() -> None:
    assert masked("found hf_" + "aB3" * 11) == "found ***"


def test_no_error_of_ours_shows_a_password() -> None:
    assert str(InputError("expected x at s3a://me:pass@host/x")) == "expected x at s3a://me:***@host/x"
    error = from_worker("emotion_udf.errors.InputError: expected x at s3a://me:pass@host/x")
    assert str(error) == "expected x at s3a://me:***@host/x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 🎉\ttab", "plain ü 🎉\ttab"),
        ("a.parquet\n2026-10-05T00:00:00Z INFO published", "a.parquet\n  2026-10-05T00:00:00Z INFO published"),
        ("ours:\n  listed\n  more", "ours:\n  listed\n  more"),
        ("\x1b[2Jcleared\r\x00\x9b", r"\x1b[2Jcleared\r\x00\x9b"),
        ("not utf-8 \udc80", r"not utf-8 \udc80"),
    ],
)
def test_no_name_forges_a_line_or_moves_the_cursor(text: str, shown: str) -> None:
    assert printable(text) == shown
