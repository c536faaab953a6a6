"""A PostgreSQL of a test's own, where the machine has one: it listens on no port, and goes with the test."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path

_USER = "nobody" if os.geteuid() == 0 else None


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps off the PATH."""
    on_path = shutil.which("initdb")
    debian = sorted(glob("/usr/lib/postgresql/*/bin/initdb"))
    found = [on_path, *debian] if on_path else debian
    return Path(found[-1]).resolve().parent if found else None


@dataclass(frozen=True)
class Postgres:
    """A server that runs.

    Attributes:
        folder: Its socket's folder, which its user may read.
        programs: The folder of its programs.
    """

    folder: Path
    programs: Path

    @property
    def connection(self) -> str:
        """The connection string of its superuser."""
        return f"host={self.folder} user=postgres dbname=postgres"

    def restart(self) -> None:
        """End all connections as a crash would, and start again."""
        _control(self.programs, self.folder, "pg_ctl", "-w", "-s", "-m", "immediate", "restart")

    def run(self, sql: str) -> str:
        """Run statements and return the rows as CSV, null as `\\N`."""
        ended = subprocess.run(
            [self.programs / "psql", "-X", "-q", "--csv", "-P", "null=\\N", "-v", "ON_ERROR_STOP=1",
             "-h", self.folder, "-U", "postgres", "-d", "postgres"],
            input=sql, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@contextmanager
def running_postgres(programs: Path, options: str = "") -> Iterator[Postgres]:
    """Start a server in a folder of its own; as root it runs as nobody, since it refuses to be root.

    It listens on no port unless the options say so.
    Members of a role `asked`, where there is one, have to give a password.
    """
    folder = Path(tempfile.mkdtemp(prefix="emotion-udf-postgres-"))
    if _USER:
        shutil.chown(folder, _USER)
    run = partial(_control, programs, folder)
    try:
        run("initdb", "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "--no-sync")
        rules = folder / "data/pg_hba.conf"
        rules.write_text(f"local all +asked scram-sha-256\n{rules.read_text()}")
        settings = f"-k {folder} -c listen_addresses= -c fsync=off {options}"
        run("pg_ctl", "-w", "-s", "-o", settings, "start")
        try:
            yield Postgres(folder, programs)
        finally:
            run("pg_ctl", "-w", "-s", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _control(programs: Path, folder: Path, program: str, *arguments: str) -> None:
    log = ["-l", str(folder / "log")] if program == "pg_ctl" else []
    command = [str(programs / program), "-D", str(folder / "data"), *log, *arguments]
    subprocess.run(command, user=_USER, cwd=folder, check=True, capture_output=True, timeout=120)
