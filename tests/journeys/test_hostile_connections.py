"""Strangers who send without an end, or read nothing, on both ports: memory stays bounded, and others are answered."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from pinfold.http.descriptors import raise_limit
from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.up import ColdUp

MOST_RESIDENT_BYTES = 400 << 20
MEDIAN_PING_S = 0.25
SLOWEST_PING_S = 5.0  # a machine that runs many other tests may stop for a second or two; an attack took 12
ATTACK_S = 1.5  # of sending, each
CONNECTIONS = 800  # at each port, half of them from one address
READERS = 350
ENOUGH_PINGS = 40

GET = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "pipelined requests": (b"", GET * 2_000),
    "trailer fields": (CHUNKED + b"0\r\n", b"X-Trailer: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 2_000),
    "one chunk extension": (CHUNKED + b"1;", b"x" * 100_000),
    "chunk extensions": (CHUNKED, (b"1;" + b"x" * 100 + b"\r\na\r\n") * 1_000),
    "chunks of one byte": (CHUNKED, b"1\r\nx\r\n" * 20_000),
    "header fields": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n" * 20_000),
    "a request target": (b"GET /", b"a" * 100_000),
}


def connect(url: str, receive_bytes: int = 0) -> socket.socket:
    """A connection to a port of the server."""
    where = urlsplit(url)
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(TIMEOUT_S)
    connection.connect((where.hostname, where.port))
    return connection


def flood(url: str, begin: bytes, again: bytes) -> None:
    """Send ``again`` for a while, 15 MB at most, and read nothing."""
    end = time.monotonic() + ATTACK_S
    with connect(url) as connection, contextlib.suppress(OSError):
        connection.settimeout(ATTACK_S)
        connection.sendall(begin)
        for _ in range(15_000_000 // len(again)):
            if time.monotonic() > end:
                return
            connection.sendall(again)


class Pings:
    """How long ``/ping`` takes, on a new connection each time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self.took_s: list[float] = []
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(0.05):
            began = time.perf_counter()
            try:
                with connect(self._url) as connection:
                    connection.sendall(GET)
                    answer = connection.recv(1000)
            except OSError as exc:
                answer = repr(exc).encode()
            self.took_s.append(time.perf_counter() - began)
            if not answer.startswith(b"HTTP/1.1 200"):
                self.failures.append(repr(answer[:300]))

    def __enter__(self) -> Pings:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """That all were answered, and soon."""
        assert not self.failures, self.failures[:3]
        assert statistics.median(self.took_s) < MEDIAN_PING_S
        assert max(self.took_s) < SLOWEST_PING_S


@contextlib.contextmanager
def pings(up: ColdUp) -> Iterator[tuple[Pings, Pings]]:
    """Both ports answer promptly all the time, and the process's memory stays bounded."""
    with Pings(up.api_url) as api, Pings(up.gateway_url) as gateway:
        yield api, gateway
    api.check()
    gateway.check()
    resident_bytes = up.resident_bytes()
    print(f"{resident_bytes / 2**20:.0f} MiB; slowest pings {max(api.took_s):.2f} s, {max(gateway.took_s):.2f} s")
    assert resident_bytes < MOST_RESIDENT_BYTES


@pytest.fixture
def up(pinfold: Pinfold) -> Iterator[ColdUp]:
    """A server with few connections, so that a test can take all of them."""
    if raise_limit() < 4 * CONNECTIONS:
        pytest.skip("the limit of open files is too low for so many clients")
    up = ColdUp(pinfold, max_connections=str(CONNECTIONS), log_level="warning")
    with up:
        yield up
        assert "Traceback" not in up.log


def test_floods_take_bounded_memory_and_hold_up_nobody(up: ColdUp) -> None:
    with pings(up):
        for begin, again in FLOODS.values():
            attackers = [
                threading.Thread(target=flood, args=(url, begin, again)) for url in (up.api_url, up.gateway_url)
            ]
            for one in attackers:
                one.start()
            for one in attackers:
                one.join()


def test_readers_that_stall_and_connections_that_idle_leave_room_for_others(up: ColdUp) -> None:
    big, block = up.upload(os.urandom(20_000_000), "big.bin"), up.upload(os.urandom(1_000_000), "block.bin")
    paths = [f"/ipfs/{big['cid']}", f"/ipfs/{block['cid']}?format=raw"]
    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths]
    with contextlib.ExitStack() as stack, pings(up) as both:
        for number in range(READERS):
            connection = stack.enter_context(connect(up.gateway_url, receive_bytes=4096))
            connection.sendall(requests[number % 2])
        for url in (up.api_url, up.gateway_url):
            for _ in range(CONNECTIONS // 2 + 100):
                stack.enter_context(connect(url))
        while min(len(one.took_s) for one in both) < ENOUGH_PINGS:  # while all of them are open
            time.sleep(0.01)
