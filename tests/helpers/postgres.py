"""A PostgreSQL of a test's own, where the machine has one: it listens on no port, and goes with the test."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path


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
def running_postgres(programs: Path) -> Iterator[Postgres]:
    """Start a server in a folder of its own; as root it runs as nobody, since it refuses to be root."""
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="emotion-udf-postgres-"))
    if user:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, capture_output=True, timeout=120)

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "--no-sync")
        settings = f"-k {folder} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-w", "-s", "-o", settings, "-l", str(folder / "log"), "start")
        try:
            yield Postgres(folder, programs)
        finally:
            run("pg_ctl", "-w", "-s", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
