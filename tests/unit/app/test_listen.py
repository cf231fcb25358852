"""Connections on which no whole request comes are ended, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from pinfold.app import listen

PATIENCE_S = 30.0
HEAD = b"GET /a HTTP/1.1\r\nHost: x\r\n"
Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a head come within a fraction of a second."""
    monkeypatch.setattr(listen, "_HEAD_WITHIN_S", 0.2)


async def answer_unread(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads no body and says its path."""
    if scope["path"] == "/slow":
        await asyncio.sleep(1.0)  # what it takes, and no wait for anything
    await _say(send, scope["path"].encode())


async def _say(send: Send, body: bytes) -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Path]:
    """Where a server answers."""
    config = listen.server(answer_unread, 1.0).config
    state = ServerState()
    path = folder / "socket"
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: listen.BoundedHead(config, state, {}), str(path)
    )
    async with server:
        yield path
    for connection in list(state.connections):
        assert isinstance(connection, listen.BoundedHead)
        connection.cut()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes."""
    answer = b""
    with suppress(ConnectionResetError):  # it may close on what nobody read
        async with asyncio.timeout(PATIENCE_S):
            while part := await reader.read(1000):
                answer += part
    return answer


async def drip(writer: asyncio.StreamWriter, what: bytes) -> None:
    """Send a byte again and again, until nobody takes it."""
    while not writer.is_closing():
        writer.write(what)
        await asyncio.sleep(0.02)


def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async def go() -> None:
        async with serving(tmp_path) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            assert await rest(reader) == b""
            writer.close()

    asyncio.run(go())


@pytest.mark.parametrize("begun", [b"GET /", HEAD, b"\r\n", HEAD + b"\r\n" + HEAD])
def test_a_head_that_comes_byte_by_byte_for_ever_is_408(tmp_path: Path, begun: bytes) -> None:
    async def go() -> None:
        async with serving(tmp_path) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(begun)
            dripping = asyncio.create_task(drip(writer, b"\r\n" if begun == b"\r\n" else b"X"))
            answer = await rest(reader)
            dripping.cancel()
            writer.close()
            assert answer.split(b"\r\n\r\n")[-2].startswith((b"HTTP/1.1 408", b"/aHTTP/1.1 408"))
            assert answer.count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")

    asyncio.run(go())


def test_a_slow_answer_and_a_pause_between_requests_end_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with serving(tmp_path) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            for _ in range(2):
                writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                async with asyncio.timeout(PATIENCE_S):
                    assert (await reader.readuntil(b"/slow")).startswith(b"HTTP/1.1 200")
                await asyncio.sleep(0.5)  # longer than a head may take
            writer.close()

    asyncio.run(go())


def test_what_is_left_of_an_answered_request_is_not_read_for_ever(tmp_path: Path) -> None:
    async def go() -> None:
        async with serving(tmp_path) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            dripping = asyncio.create_task(drip(writer, b"X"))
            answer = await rest(reader)
            dripping.cancel()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 200")

    asyncio.run(go())


def test_the_rest_of_an_answered_request_that_comes_soon_leaves_the_connection_usable(tmp_path: Path) -> None:
    async def go() -> None:
        async with serving(tmp_path) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            async with asyncio.timeout(PATIENCE_S):
                await reader.readuntil(b"/b")
                writer.write(b"X" * 1000 + HEAD + b"\r\n")
                assert (await reader.readuntil(b"/a")).startswith(b"HTTP/1.1 200")
            writer.close()

    asyncio.run(go())
