"""Servers that do not go on: one never answers, one stops in the middle of a body."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the address of a server that takes every connection and says nothing."""
    with _listening(None) as url:
        yield url


@contextmanager
def stalling_proxy(port: int, after: int) -> Iterator[str]:
    """Yield the address of a proxy before a server on loopback that says no more than so many bytes a connection."""

    def pass_on(client: socket.socket) -> socket.socket:
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_copy, args=(client, server, None), daemon=True).start()
        threading.Thread(target=_copy, args=(server, client, after), daemon=True).start()
        return server

    with _listening(pass_on) as url:
        yield url


def _copy(source: socket.socket, target: socket.socket, most: int | None) -> None:
    """Copy until the source ends, or for good stop after so many bytes and leave the connection open."""
    copied = 0
    with suppress(OSError):
        while (most is None or copied < most) and (read := source.recv(4096)):
            target.sendall(read if most is None else read[: most - copied])
            copied += len(read)


@contextmanager
def _listening(pass_on: Callable[[socket.socket], socket.socket] | None) -> Iterator[str]:
    taken: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                taken.append(connection)
                if pass_on is not None:
                    taken.append(pass_on(connection))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for connection in taken:
                with suppress(OSError):  # or a thread that reads it would wait on
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
