"""A server on this machine that takes what is posted to it, or does not."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK, MUTE, DRIPPING = 200, -1, -2
"""Answers: a status, none at all, or one that never comes to its end."""


@dataclass
class Receiver:
    """What was posted.

    Attributes:
        url: The server's address.
        answers: What it answers, one after another; the last one again and again.
        posted: Paths, headers and JSON of the requests.
    """

    url: str = ""
    answers: Sequence[int] = (OK,)
    posted: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def bodies(self) -> list[Any]:
        """The JSON of the requests."""
        return [body for _, _, body in self.posted]


@contextmanager
def receiver(*answers: int) -> Iterator[Receiver]:
    """Listen on 127.0.0.1."""
    taken = Receiver(answers=answers or (OK,))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the server calls it so
            content = self.rfile.read(int(self.headers["Content-Length"]))
            answer = taken.answers[min(len(taken.posted), len(taken.answers) - 1)]
            taken.posted.append((self.path, dict(self.headers), json.loads(content)))
            if answer == MUTE:
                taken.given_up.wait()
            elif answer == DRIPPING:
                self._drip()
            else:
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.send_header("Location", "/elsewhere")
                self.send_header("Retry-After", "3600")
                self.end_headers()

        def _drip(self) -> None:
            """Send a header without end, so slowly that no time limit of a single read is reached."""
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not taken.given_up.wait(0.05):
                    self.wfile.write(b"x")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    taken.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield taken
    finally:
        taken.given_up.set()
        server.shutdown()
        server.server_close()
