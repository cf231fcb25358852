"""A connection is read strictly, one request at a time, and ended where what should come does not."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from pinfold.app import listen
from pinfold.http.connections import Connections
from pinfold.http.limits import Limits
from pinfold.http.listener import Listener
from pinfold.http.protocol import HttpProtocol
from pinfold.http.refusal import Render, as_json, as_text

PATIENCE_S = 20.0
HOST = b"Host: x\r\n"
HEAD = b"GET /a HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
IMPATIENT = Limits(head_s=0.2, send_silence_s=0.4, linger_s=0.2)


@dataclass
class World:
    """A server on a socket, and what its application saw."""

    path: Path
    begun: list[str] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    state: ServerState = field(default_factory=ServerState)

    def connection(self) -> HttpProtocol:
        """The server's side of the one connection."""
        (one,) = self.state.connections
        assert isinstance(one, HttpProtocol)
        return one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        self.begun.append(path)
        self.headers = scope["headers"]
        if path == "/wait":
            await self.may_answer.wait()
        elif path == "/slow":
            await asyncio.sleep(1.0)  # what it takes, and no wait for anything
        elif path == "/echo":
            body, more = b"", True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.begun.append("gone")
                    return
                body, more = body + message["body"], message["more_body"]
            return await say(send, body)
        elif path == "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
                self.sent += 100_000
                await asyncio.sleep(0)
        await say(send, path.encode())


async def say(send: Send, body: bytes) -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(
    folder: Path, limits: Limits | None = None, *, most: int = 100, render: Render = as_json
) -> AsyncIterator[World]:
    """A server in this process."""
    world = World(folder / "socket")
    listener = Listener("test", Connections(most, most, time.monotonic), render, limits or Limits())
    config = listen.server(world, listener, 1.0).config
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: HttpProtocol(config, world.state, {}, listener=listener), str(world.path)
    )
    async with server:
        try:
            yield world
        finally:
            for connection in list(world.state.connections):
                assert isinstance(connection, HttpProtocol)
                connection.cut()
            while world.state.tasks:
                for task in list(world.state.tasks):
                    task.cancel()
                await asyncio.sleep(0)


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Run it as the program does."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


async def until(condition: Callable[[], Any]) -> None:
    """Wait until it holds."""
    while not condition():
        await asyncio.sleep(0.005)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes."""
    answer = b""
    with suppress(ConnectionResetError):  # it may close on what nobody read
        while part := await reader.read(1000):
            answer += part
    return answer


async def drip(writer: asyncio.StreamWriter, what: bytes) -> None:
    """Send a byte again and again, until nobody takes it."""
    while not writer.is_closing():
        writer.write(what)
        await asyncio.sleep(0.02)


async def answers(world: World, sent: bytes) -> bytes:
    """What a client gets that sends so much, says that it sends no more, and reads to the end."""
    reader, writer = await asyncio.open_unix_connection(world.path)
    writer.write(sent)
    answer = await rest(reader)
    writer.close()
    return answer


def talk(tmp_path: Path, sent: bytes, limits: Limits | None = None, render: Render = as_json) -> tuple[World, bytes]:
    """What the application saw, and what a client got that sent so much; the last request closes."""
    seen: list[tuple[World, bytes]] = []

    async def story() -> None:
        async with serving(tmp_path, limits, render=render) as world:
            seen.append((world, await answers(world, sent)))

    run(story)
    return seen[0]


def status(answer: bytes) -> int:
    """That of the first answer."""
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    assert talk(tmp_path, b"", IMPATIENT)[1] == b""


@pytest.mark.parametrize("begun", [b"GET /", HEAD, b"\r\n", HEAD + b"\r\n" + HEAD])
def test_a_head_that_comes_byte_by_byte_for_ever_is_408(tmp_path: Path, begun: bytes) -> None:
    async def story() -> None:
        async with serving(tmp_path, IMPATIENT) as world:
            reader, writer = await asyncio.open_unix_connection(world.path)
            writer.write(begun)
            dripping = asyncio.create_task(drip(writer, b"\r\n" if begun == b"\r\n" else b"X"))
            answer = await rest(reader)
            dripping.cancel()
            writer.close()
            assert b"HTTP/1.1 408" in answer and b"REQUEST_TIMEOUT" in answer
            assert answer.count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")

    run(story)


def test_a_slow_answer_and_a_pause_between_requests_end_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, IMPATIENT) as world:
            reader, writer = await asyncio.open_unix_connection(world.path)
            for _ in range(2):
                writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await reader.readuntil(b"/slow")).startswith(b"HTTP/1.1 200")
                await asyncio.sleep(0.5)  # longer than a head may take
            writer.close()

    run(story)


def test_what_is_left_of_an_answered_request_is_not_read_for_ever(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, IMPATIENT) as world:
            reader, writer = await asyncio.open_unix_connection(world.path)
            writer.write(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            dripping = asyncio.create_task(drip(writer, b"X"))
            answer = await rest(reader)
            dripping.cancel()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 200")

    run(story)


def test_the_rest_of_an_answered_request_that_comes_soon_leaves_the_connection_usable(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path) as world:
            reader, writer = await asyncio.open_unix_connection(world.path)
            writer.write(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            await reader.readuntil(b"/b")
            writer.write(b"X" * 1000 + HEAD + b"\r\n")
            assert (await reader.readuntil(b"/a")).startswith(b"HTTP/1.1 200")
            writer.close()

    run(story)


def test_an_old_connection_ends_with_its_answer(tmp_path: Path) -> None:
    answer = talk(tmp_path, HEAD + b"\r\n", Limits(life_s=0))[1]
    assert b"connection: close" in answer and answer.endswith(b"/a")


def test_a_client_that_reads_nothing_of_an_answer_is_disconnected(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, IMPATIENT) as world:
            _, writer = await asyncio.open_unix_connection(world.path, limit=1000)
            writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: world.sent)
            assert world.connection().transport.get_write_buffer_size() < 400_000
            await until(lambda: not world.state.connections)
            writer.close()

    run(story)


def test_a_client_that_reads_slowly_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, Limits(send_silence_s=0.2)) as world:
            with socket.socket(socket.AF_UNIX) as client:
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(client, str(world.path))
                await loop.sock_sendall(client, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
                for _ in range(20):  # a second, five times the limit
                    assert await loop.sock_recv(client, 10_000)
                    await asyncio.sleep(0.05)
                assert world.state.connections

    run(story)


def test_a_client_that_takes_a_few_bytes_now_and_then_is_too_slow(tmp_path: Path) -> None:
    async def story() -> None:
        limits = Limits(send_silence_s=0.4, send_bytes_per_s=10_000_000)
        async with serving(tmp_path, limits) as world:
            with socket.socket(socket.AF_UNIX) as client:
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(client, str(world.path))
                await loop.sock_sendall(client, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
                await until(lambda: world.state.connections)
                while world.state.connections:
                    with suppress(OSError):
                        await loop.sock_recv(client, 5_000)
                    await asyncio.sleep(0.02)

    run(story)


# -- pipelines ---------------------------------------------------------------------------------------------------------


def test_of_pipelined_requests_only_the_one_that_is_answered_is_parsed(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path) as world:
            _, writer = await asyncio.open_unix_connection(world.path)
            writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + (HEAD + b"\r\n") * 200_000)
            await until(lambda: world.begun)
            connection = world.connection()
            await until(lambda: connection.flow.read_paused)
            assert world.begun == ["/wait"] and not connection.pipeline
            assert len(connection._pending) < 1 << 20
            assert writer.transport.get_write_buffer_size() > 1 << 20  # the rest never left
            writer.transport.abort()

    run(story)


def test_an_application_that_waits_for_the_end_of_its_client_reads_no_more_of_a_pipeline(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path) as world:
            _, writer = await asyncio.open_unix_connection(world.path)
            writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + (HEAD + b"\r\n") * 200_000)
            await until(lambda: world.begun)
            connection = world.connection()
            await until(lambda: connection.flow.read_paused)
            before = len(connection._pending)
            for _ in range(20):
                waiting = asyncio.ensure_future(connection.cycle.receive())
                await asyncio.sleep(0.005)
                waiting.cancel()
            assert len(connection._pending) == before
            writer.transport.abort()

    run(story)


def test_pipelined_requests_are_answered_in_their_order(tmp_path: Path) -> None:
    requests = [b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(300)]
    requests[7:7] = [POST + b"Content-Length: 4\r\n\r\nbody", CHUNKED + b"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"]
    last = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    world, answer = talk(tmp_path, b"".join(requests) + last + HEAD + b"\r\n")
    assert world.begun == [f"/{n}" for n in range(7)] + ["/echo"] * 2 + [f"/{n}" for n in range(7, 300)] + ["/last"]
    assert answer.count(b"HTTP/1.1 200") == 303
    assert answer.count(b"\r\n\r\nbody") == 2


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_requests_are_read_however_they_are_cut(tmp_path: Path, size: int) -> None:
    stream = HEAD + b"\r\n" + CHUNKED + b"3\r\nabc\r\n0\r\nT: x\r\n\r\n" + POST + b"Content-Length: 2\r\n\r\nhi"
    stream += b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    async def story() -> None:
        async with serving(tmp_path) as world:
            reader, writer = await asyncio.open_unix_connection(world.path)
            await until(lambda: world.state.connections)
            connection = world.connection()
            for start in range(0, len(stream), size):
                connection.data_received(stream[start : start + size])
            await rest(reader)
            assert world.begun == ["/a", "/echo", "/echo", "/last"]
            writer.close()

    run(story)


# -- heads -------------------------------------------------------------------------------------------------------------

GET = b"GET /a HTTP/1.1\r\n"

MALFORMED = {
    "no host": GET + b"\r\n",
    "two hosts": GET + HOST + b"Host: y\r\n\r\n",
    "the same host twice": GET + HOST + HOST + b"\r\n",
    "two hosts in HTTP/1.0": b"GET /a HTTP/1.0\r\n" + HOST + HOST + b"\r\n",
    "an empty host": GET + b"Host:\r\n\r\n",
    "a host with a path": GET + b"Host: x/y\r\n\r\n",
    "a host with a user": GET + b"Host: u@x\r\n\r\n",
    "two hosts in one": GET + b"Host: x, y\r\n\r\n",
    "a host with a space": GET + b"Host: x y\r\n\r\n",
    "a host with a wrong port": GET + b"Host: x:y\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two fields": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "chunked with a tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n",
    "an empty coding": POST + b"Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc",
    "chunked in HTTP/1.0": b"POST /echo HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "one length twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a sign": POST + b"Content-Length: +5\r\n\r\nhello",
    "a negative length": POST + b"Content-Length: -5\r\n\r\nhello",
    "a length that is no number": POST + b"Content-Length: five\r\n\r\nhello",
    "a hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "a length past all numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "a space before the colon": GET + HOST + b"X : y\r\n\r\n",
    "a folded line": GET + HOST + b"X: y\r\n z\r\n\r\n",
    "a bare line feed": GET + b"Host: x\n\n",
    "a bare carriage return": GET + HOST + b"X: a\rb\r\n\r\n",
    "a zero byte": GET + HOST + b"X: a\x00b\r\n\r\n",
    "a name of nothing": GET + HOST + b": a\r\n\r\n",
    "a target with a letter of another script": "GET /a?search=ü HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a target with a space": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_head_is_400_and_no_application_sees_it(tmp_path: Path, sent: bytes) -> None:
    world, answer = talk(tmp_path, sent + HEAD + b"\r\n", IMPATIENT)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1 and b"connection: close" in answer
    assert world.begun == []
    head, _, body = answer.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert problem["success"] is False and problem["code"] == "MALFORMED_REQUEST"
    assert b"x-request-id: " + problem["request_id"].encode() in head


OTHERS = {
    "HTTP/2": (505, b"GET /a HTTP/2.0\r\n" + HOST + b"\r\n"),
    "HTTP/0.9": (505, b"GET /a\r\n\r\n"),
    "an unknown method": (501, b"FOO /a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an endless target": (414, b"GET /" + b"a" * 100_000),
    "a long target": (414, b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a long head": (431, GET + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n"),
    "an endless head": (431, GET + b"X" * 100_000),
    "endless empty lines": (431, b"\r\n" * 100_000),
    "many fields": (431, GET + HOST + b"X: y\r\n" * 300 + b"\r\n"),
}


@pytest.mark.parametrize(("expected", "sent"), OTHERS.values(), ids=OTHERS.keys())
def test_what_is_too_much_or_not_spoken_has_its_own_status(tmp_path: Path, expected: int, sent: bytes) -> None:
    world, answer = talk(tmp_path, sent, IMPATIENT)
    assert (status(answer), world.begun) == (expected, [])
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["success"] is False


def test_a_refusal_of_the_gateway_is_one_line_of_text(tmp_path: Path) -> None:
    answer = talk(tmp_path, GET + b"\r\n", IMPATIENT, as_text)[1]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: text/plain" in head
    assert body == b"400 a request must have exactly one Host header\n"


@pytest.mark.parametrize(
    "host", [b"x", b"x:80", b"a_b.example:3000", b"127.0.0.1:1", b"[::1]", b"[::1]:80", b"x:", b"xn--4ca.example"]
)
def test_usual_hosts_are_fine(tmp_path: Path, host: bytes) -> None:
    answer = talk(tmp_path, GET + b"Host: " + host + b"\r\nConnection: close\r\n\r\n")[1]
    assert status(answer) == 200


def test_http_1_0_needs_no_host(tmp_path: Path) -> None:
    assert status(talk(tmp_path, b"GET /a HTTP/1.0\r\n\r\n")[1]) == 200


def test_an_upgrade_is_not_taken_up_and_its_body_is_a_body(tmp_path: Path) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    last = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    world, answer = talk(tmp_path, POST + upgrade + hidden + last)
    assert world.begun == ["/echo", "/last"]
    assert hidden in answer


def test_one_that_sends_more_after_a_refusal_still_gets_its_answer(tmp_path: Path) -> None:
    answer = talk(tmp_path, GET + b"\r\n" + bytes(500_000), IMPATIENT)[1]
    assert status(answer) == 400


def test_one_that_goes_on_for_ever_after_a_refusal_is_cut_off(tmp_path: Path) -> None:
    limits = Limits(linger_s=PATIENCE_S, linger_bytes=1 << 20)
    talk(tmp_path, GET + b"\r\n" + bytes(5_000_000), limits)


# -- bodies ------------------------------------------------------------------------------------------------------------


def test_a_chunked_body_arrives_whole_and_its_trailer_is_no_header(tmp_path: Path) -> None:
    sent = CHUNKED + b"3\r\nabc\r\n1;ext=1\r\nd\r\nA\r\n0123456789\r\n0\r\nAuthorization: Bearer t\r\n\r\n"
    world, answer = talk(tmp_path, sent + b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"\r\n\r\nabcd0123456789" in answer
    assert world.begun == ["/echo", "/last"]
    assert not any(name == b"authorization" for name, _ in world.headers)


def test_many_chunks_of_one_byte_are_a_body(tmp_path: Path) -> None:
    sent = CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    answer = talk(tmp_path, sent + b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[1]
    assert b"\r\n\r\n" + b"x" * 20_000 + b"HTTP/1.1" in answer


def test_chunks_are_decoded_a_limited_number_at_a_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, Limits(chunks_per_turn=10)) as world:
            reader, writer = await asyncio.open_unix_connection(world.path)
            await until(lambda: world.state.connections)
            connection = world.connection()
            connection.data_received(CHUNKED + b"1\r\nx\r\n" * 1000)
            assert len(connection.cycle.body) == 10  # and now others have their turn
            connection.data_received(b"0\r\n\r\n")
            assert (await reader.readuntil(b"x" * 1000)).startswith(b"HTTP/1.1 200")
            writer.close()

    run(story)


BAD_BODIES = {
    "no size": (400, b"\r\n"),
    "a size of letters": (400, b"xyz\r\n"),
    "a size with a sign": (400, b"+3\r\nabc\r\n"),
    "a size with a prefix": (400, b"0x3\r\nabc\r\n"),
    "a size with an underscore": (400, b"1_0\r\n" + b"a" * 16),
    "a size with a space": (400, b"3 \r\nabc\r\n"),
    "a huge size": (400, b"FFFFFFFFFFFFFFFFF\r\n"),
    "a bare line feed": (400, b"3\nabc\r\n"),
    "data that is too long": (400, b"3\r\nabcd\r\n"),
    "a chunk without an end": (400, b"3\r\nabc3\r\n"),
    "an endless extension": (400, b"3;" + b"x" * 10_000),
    "nothing but extensions": (400, (b"1;" + b"x" * 200 + b"\r\na\r\n") * 1000),
    "an endless trailer line": (431, b"0\r\nX: " + b"y" * 20_000),
    "endless trailer fields": (431, b"0\r\n" + b"X: y\r\n" * 3000),
    "a trailer that is none": (400, b"0\r\nGET / HTTP/1.1\r\n\r\n"),
}


@pytest.mark.parametrize(("expected", "body"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_malformed_chunked_body_is_refused(tmp_path: Path, expected: int, body: bytes) -> None:
    world, answer = talk(tmp_path, CHUNKED + body, IMPATIENT)
    assert status(answer) == expected
    assert answer.count(b"HTTP/1.1 ") == 1
    assert world.begun == ["/echo", "gone"]


def test_trailers_are_not_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, Limits(trailer_bytes=1 << 30, head_s=PATIENCE_S)) as world:
            _, writer = await asyncio.open_unix_connection(world.path)
            await until(lambda: world.state.connections)
            connection = world.connection()
            connection.data_received(CHUNKED + b"0\r\n")
            for _ in range(100):
                connection.data_received(b"X: y\r\n" * 100)
            assert len(connection.headers) == 2 and len(connection._pending) < 10_000
            writer.transport.abort()

    run(story)


# -- too many connections ----------------------------------------------------------------------------------------------


def test_a_new_connection_takes_the_place_of_the_one_that_was_idle_for_longest(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, most=3) as world:
            pipes = []
            for count in range(3):
                pipes.append(await asyncio.open_unix_connection(world.path))
                await until(lambda: len(world.state.connections) == count + 1)  # noqa: B023 - awaited here
                await asyncio.sleep(0.005)  # the loop's clock counts milliseconds
            pipes[0][1].write(HEAD + b"\r\n")  # the oldest is not the one that was idle for longest
            await pipes[0][0].readuntil(b"/a")
            reader, writer = await asyncio.open_unix_connection(world.path)
            writer.write(HEAD + b"\r\n")
            assert (await reader.readuntil(b"/a")).startswith(b"HTTP/1.1 200")
            assert await rest(pipes[1][0]) == b""
            pipes[0][1].write(HEAD + b"\r\n")
            assert (await pipes[0][0].readuntil(b"/a")).startswith(b"HTTP/1.1 200")
            for _, one in [*pipes, (reader, writer)]:
                one.close()

    run(story)


def test_where_all_are_busy_a_new_connection_is_503(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, IMPATIENT, most=2) as world:
            busy = [await asyncio.open_unix_connection(world.path) for _ in range(2)]
            for _, one in busy:
                one.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: len(world.begun) == 2)
            refused = await answers(world, HEAD + b"\r\n")
            assert status(refused) == 503 and b"\r\nretry-after: " in refused
            world.may_answer.set()
            for reader, one in busy:
                assert await reader.readuntil(b"/wait")
                one.close()
            assert status(await answers(world, HEAD + b"Connection: close\r\n\r\n")) == 200

    run(story)
