"""Test what happens to connections that do not say what they want, and to too many of them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from arena.web import server
from arena.web.app import application

HALF = b"GET / HTTP/1.1\r\nhost: "
REST = b"127.0.0.1\r\nconnection: close\r\n\r\n"
MOST = 6


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Yield the address of a server that gives heads half a second, and takes six connections."""
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listener:
        patch.setattr(server, "HEAD_S", 0.5)
        patch.setattr(server, "MOST_CONNECTIONS", MOST)
        listener.bind(("127.0.0.1", 0))
        running = server.make_server(application(tmp_path_factory.mktemp("none") / "no.duckdb"))
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        yield listener.getsockname()
        running.should_exit = True
        thread.join()


def begin(address: tuple[str, int], head: bytes = HALF) -> socket.socket:
    """Open a connection and send the beginning of a request."""
    for _ in range(500):
        try:
            connection = socket.create_connection(address, timeout=10)
            break
        except ConnectionRefusedError:  # it does not listen yet
            time.sleep(0.01)
    connection.sendall(head)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Return all that comes until the connection is closed; nothing if it is cut off."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    connection.close()
    return received


def test_a_head_that_does_not_end_is_closed_however_slowly_it_comes(
    address: tuple[str, int],
) -> None:
    slow, whole = begin(address), begin(address)
    whole.sendall(REST)
    assert answer(whole).startswith(b"HTTP/1.1 503")  # there is no store
    slow.settimeout(0.02)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            slow.sendall(b"x")
            assert slow.recv(1) == b""
            break
        except TimeoutError:
            continue
        except OSError:  # reset, or a broken pipe
            break
    assert time.monotonic() < until
    slow.close()


def test_a_new_connection_takes_the_place_of_the_one_that_has_waited_longest(
    address: tuple[str, int],
) -> None:
    halves = [begin(address) for _ in range(MOST)]
    whole = begin(address, HALF + REST)
    assert answer(whole).startswith(b"HTTP/1.1 503")
    halves[1].sendall(REST)
    assert answer(halves[1]).startswith(b"HTTP/1.1 503")
    assert answer(halves[0]) == b""
    for connection in halves[2:]:
        connection.close()
