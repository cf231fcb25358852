"""Clients that begin uploads and fall silent, beside one of another organisation that only wants to upload."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx

from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.up import PATIENCE_S, Up

STALLED = 34  # more than the default of uploads at the same time


def begin(up: Up, number: int, token: str = "") -> socket.socket:
    """A connection on which 1,000 of 5,000,000 bytes were sent."""
    where = urlsplit(up.api_url)
    connection = socket.create_connection((where.hostname or "", where.port or 0), TIMEOUT_S)
    head = f"PUT /api/v1/files/{number}.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token or up.token}\r\n"
    connection.sendall(head.encode() + b"Content-Length: 5000000\r\n\r\n" + bytes(1000))
    return connection


def answer(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def until_under_way(up: Up, count: int) -> None:
    """Wait until the API is at so many requests."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = re.search(r"^pinfold_http_requests_under_way (\S+)", up.api.get("/metrics").text, re.MULTILINE)
        if found and float(found[1]) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"not {count} requests at a time")


def test_stalled_uploads_hold_up_nobody_else_and_are_ended(pinfold: Pinfold) -> None:
    with Up(pinfold, upload_idle_timeout_s="3") as up, contextlib.ExitStack() as stack:
        pinfold("org", "create", "Other", "--slug", "other")
        token = pinfold("token", "create", "--org", "other", "--scope", "files:write").lines[0]
        connections = [stack.enter_context(begin(up, number)) for number in range(STALLED)]
        until_under_way(up, STALLED)
        other = httpx.put(
            f"{up.api_url}/api/v1/files/a.txt",
            content=b"ten bytes!",
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
        )
        assert other.status_code == 201, other.text
        answered, _, _ = select.select(connections, [], [], 0)
        assert not answered, "it waited for those that were silent"
        answers = [answer(connection) for connection in connections]
        ended = [one for one in answers if one.startswith(b"HTTP/1.1 408") and b"UPLOAD_STALLED" in one]
        refused = [one for one in answers if one.startswith(b"HTTP/1.1 503") and b"NO_PLACE_FOR_UPLOAD" in one]
        assert ended and len(ended) + len(refused) == STALLED
        assert all(b"retry-after: " in one.lower() for one in refused)
        assert up.upload(b"the first organisation goes on too")["name"] == "a.txt"
        assert up.stop() == 0
        assert "Traceback" not in up.log


def test_who_has_stalled_all_uploads_of_theirs_is_soon_told_that_there_is_no_place(pinfold: Pinfold) -> None:
    with Up(pinfold, upload_idle_timeout_s="600", max_concurrent_uploads="8") as up, contextlib.ExitStack() as stack:
        for number in range(4):
            stack.enter_context(begin(up, number))
        until_under_way(up, 4)
        began = time.monotonic()
        refused = up.api.put("/api/v1/files/a.txt", content=b"ten bytes!")
        assert (refused.status_code, refused.json()["code"]) == (503, "NO_PLACE_FOR_UPLOAD"), refused.text
        assert int(refused.headers["retry-after"]) > 0
        assert time.monotonic() - began < PATIENCE_S


def test_two_organisations_that_drip_bytes_lose_their_places_to_a_third_within_seconds(pinfold: Pinfold) -> None:
    with Up(pinfold, upload_idle_timeout_s="30", max_concurrent_uploads="8") as up, contextlib.ExitStack() as stack:
        tokens = []
        for name in ("first", "second", "third"):
            pinfold("org", "create", name, "--slug", name)
            tokens.append(pinfold("token", "create", "--org", name, "--scope", "files:write").lines[0])
        dripping = [stack.enter_context(begin(up, number, tokens[number % 2])) for number in range(8)]
        until_under_way(up, 8)
        stopped = threading.Event()

        def drip() -> None:
            while not stopped.wait(0.25):
                for connection in dripping:
                    with contextlib.suppress(OSError):
                        connection.send(bytes(1024))  # four times what is asked where nobody waits

        dropping = threading.Thread(target=drip)
        dropping.start()
        try:
            began = time.monotonic()
            third = httpx.put(
                f"{up.api_url}/api/v1/files/a.txt",
                content=b"ten bytes!",
                headers={"Authorization": f"Bearer {tokens[2]}"},
                timeout=TIMEOUT_S,
            )
            took_s = time.monotonic() - began
        finally:
            stopped.set()
            dropping.join()
        assert third.status_code == 201, third.text
        assert took_s < 15, "a place was free after two seconds, on a quiet machine; the drips would go on for hours"
        ended, _, _ = select.select(dripping, [], [], TIMEOUT_S)
        assert ended
        first_line = ended[0].recv(65536)
        assert first_line.startswith(b"HTTP/1.1 408") and b"UPLOAD_STALLED" in first_line
        assert "Traceback" not in up.log
