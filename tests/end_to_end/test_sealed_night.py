"""A night without a network, with secrets in every place that may hold one: it succeeds, and shows none of them."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.settings.pseudonym_key import KEY_VARIABLE
from tests.helpers.jobs import Ended, command, environment
from tests.helpers.messages import message, write_messages
from tests.helpers.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.spark]

COMMIT = "0123456789abcdef" * 2 + "01234567"
KEY = "pseudonym-key-of-the-tests-32-bytes"
SECRETS = {
    KEY_VARIABLE: KEY,
    "HF_TOKEN": "hf_markerOfTheHubXXXXXXXXXXXXXX",
    "AWS_SECRET_ACCESS_KEY": "marker-of-the-store",
    "AWS_SESSION_TOKEN": "marker-of-the-session",
    "AZURE_STORAGE_ACCOUNT_KEY": "marker-of-the-account",
}
SPARK_SECRETS = {
    "spark.hadoop.fs.s3a.secret.key": "marker-of-s3a",
    "spark.hadoop.fs.azure.account.key.lake.dfs.core.windows.net": "marker-of-azure",
    "spark.hadoop.fs.azure.sas.fixed.token.lake": "marker-of-sas",
    "spark.hadoop.fs.gs.auth.service.account.private.key": "marker-of-google",
    f"spark.executorEnv.{KEY_VARIABLE}": KEY,
}
PRIVATE = ("id-of-the-first", "id-of-the-second", "author-of-both", "words nobody may log", "words of the refused")
WITHOUT_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Runs a command in a network of its own, where there is nothing but 127.0.0.1, which Spark needs."""

SETTINGS = """
[input]
path = "{folder}/in"
pseudonymise = ["id", "author"]
[input.dimensions]
source = "source"
[classifier]
model = "acme/emotions"
revision = "{commit}"
[warehouse]
root = "{folder}/out"
[gate]
max_quarantined_share = 0.9
max_refused_file_share = 0.9
"""


@dataclass(frozen=True)
class Sealed:
    """A folder with all that a night reads and leaves, its Spark's event log among it."""

    folder: Path
    ended: Ended

    def run(self, *arguments: str, **variables: str) -> "Sealed":
        night = command(f"--config={self.folder}/night.toml", "--date=2026-10-05", *arguments)
        spark = {"SPARK_CONF_DIR": str(self.folder / "conf"), "HF_HOME": str(self.folder / "hub")}
        ended = subprocess.run(
            [*WITHOUT_NETWORK, *night],
            cwd=ROOT,
            env=environment() | SECRETS | spark | variables,
            capture_output=True,
            text=True,
            timeout=600,
            umask=0o027,
        )
        return replace(self, ended=Ended(ended.returncode, ended.stdout, ended.stderr))

    def texts(self) -> Iterator[tuple[str, bytes]]:
        """Yield what the job printed, and all files but the input, the settings and the model."""
        yield "its output", self.ended.output.encode()
        for place in (self.folder / "out", self.folder / "events"):
            for file in sorted(place.rglob("*")):
                if file.is_file():
                    yield str(file), file.read_bytes()


def prepare(folder: Path) -> Sealed:
    """Make an input with a good row, a refused one and a damaged file, and a local copy of a model of the Hub."""
    rows = [
        message("id-of-the-first", "words nobody may log", author="author-of-both"),
        message("id-of-the-second", "words of the refused", author="author-of-both", source="x" * 1_001),
    ]
    write_messages(folder / "in/1.parquet", rows)
    (folder / "in/2.parquet").write_bytes(b"PAR1")
    shutil.copytree(BUNDLED_FOLDER, folder / f"hub/hub/models--acme--emotions/snapshots/{COMMIT}")
    (folder / "events").mkdir()
    shutil.copytree(ROOT / "conf", folder / "conf")
    events = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file://{folder}/events"}
    events |= {"spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false"}
    with (folder / "conf/spark-defaults.conf").open("a") as conf:
        conf.writelines(f"{name} {value}\n" for name, value in (events | SPARK_SECRETS).items())
    (folder / "night.toml").write_text(SETTINGS.format(folder=folder, commit=COMMIT))
    return Sealed(folder, Ended(0, ""))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    if subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs root, unshare and ip to take the network away")
    return prepare(tmp_path_factory.mktemp("sealed")).run()


def holders_of(words: list[str], sealed: Sealed) -> list[str]:
    """Return what holds one of some words, as it is, in hexadecimal digits, in base64, or as a list of bytes."""
    found = []
    for word in words:
        raw = word.encode()
        forms = [raw, raw.hex().encode(), str(list(raw))[1:-1].encode()]
        forms += [base64.b64encode(b" " * shift + raw)[4:-4] for shift in range(3)]
        found += [f"{place}: {word}" for place, content in sealed.texts() if any(form in content for form in forms)]
    return found


def test_it_needs_no_network(night: Sealed) -> None:
    assert night.ended.code == 0, night.ended.output
    labels = DeltaTable(night.folder / "out/emotion_labels").to_pyarrow_table().to_pylist()
    refused = DeltaTable(night.folder / "out/quarantine").to_pyarrow_table().to_pylist()

    assert len(labels) == 1
    assert sorted(row["reasons"][0] for row in refused) == ["unreadable_file", "value_too_long"]


def test_nobody_else_can_read_what_it_writes(night: Sealed) -> None:
    written = [place for place in (night.folder / "out").rglob("*") if place.stat().st_mode & 0o007]

    assert written == []


def test_it_shows_no_secret(night: Sealed) -> None:
    assert list((night.folder / "events").iterdir()), "Spark has written an event log"
    assert holders_of([*SECRETS.values(), *SPARK_SECRETS.values()], night) == []


def test_it_shows_no_text_id_or_author(night: Sealed) -> None:
    """But for the text of the refused row, which quarantine keeps for people to look into."""
    found = holders_of(list(PRIVATE), night)

    assert [place for place in found if "/quarantine/data/" not in place] == []
    assert {place.partition(": ")[2] for place in found} <= {"words of the refused"}


@pytest.mark.parametrize(
    ("arguments", "variables", "code"),
    [
        (["--date=2026-10-06"], {KEY_VARIABLE: KEY + "-another"}, 4),
        (["--debug", f"--set=classifier.expect={'0' * 32}"], {}, 2),
    ],
)
def test_a_night_that_fails_shows_none_either(
    night: Sealed, arguments: list[str], variables: dict[str, str], code: int
) -> None:
    failed = night.run(*arguments, **variables)

    assert failed.ended.code == code, failed.ended.output
    assert holders_of([*SECRETS.values(), *SPARK_SECRETS.values(), *variables.values()], failed) == []
    assert not list((night.folder / "out/_staging").iterdir())


def test_without_its_network_a_process_reaches_nothing() -> None:
    """Or else the tests above would prove nothing."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    reach = "import socket; socket.create_connection(('192.0.2.1', 443), 5)"
    done = subprocess.run([*WITHOUT_NETWORK, sys.executable, "-c", reach], capture_output=True, text=True, check=False)

    assert "Network is unreachable" in done.stderr
