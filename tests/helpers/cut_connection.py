"""A way to PostgreSQL on which something happens after so many bytes: it is cut, say, or stands still."""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


@dataclass
class Way:
    """A socket that leads to a server's.

    Attributes:
        folder: The socket's folder, for `host=`.
        server: The server's folder.
        moment: After so many bytes of one direction `happen` is called, once; None for never.
        to_server: The direction that is counted.
        happen: What happens; by default the way is cut.
        bytes: What has passed, to the server and back.
    """

    folder: Path
    server: Path
    moment: int | None = None
    to_server: bool = True
    happen: Callable[["Way"], None] | None = None
    bytes: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    _ends: list[socket.socket] = field(default_factory=list)
    _given_up: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        """End all connections, in both directions."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Pass nothing on from now on, with all connections open, until the way is given up."""
        self._given_up.wait()

    def connect(self, client: socket.socket) -> None:
        """Lead a client to the server."""
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self.server / _SOCKET))
        self._ends += [client, server]
        for source, target, up in ((client, server, True), (server, client, False)):
            threading.Thread(target=self._pass_on, args=(source, target, up), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(4096):
                if up == self.to_server and self.moment is not None:
                    left = self.moment - self.bytes[up]
                    if left <= len(chunk):
                        target.sendall(chunk[:left])
                        self.bytes[up] += left
                        chunk = chunk[left:]
                        self.moment = None
                        (self.happen or Way.cut)(self)
                target.sendall(chunk)
                self.bytes[up] += len(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def way_to(
    server: Path, moment: int | None = None, to_server: bool = True, happen: Callable[[Way], None] | None = None
) -> Iterator[Way]:
    """Open a way to the server whose socket is in a folder."""
    with tempfile.TemporaryDirectory(prefix="emotion-udf-way-") as name, socket.socket(socket.AF_UNIX) as listening:
        way = Way(Path(name), server, moment, to_server, happen)
        listening.bind(str(way.folder / _SOCKET))
        listening.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    way.connect(listening.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield way
        finally:
            way._given_up.set()
            way.cut()
            for end in way._ends:
                end.close()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
