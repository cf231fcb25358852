"""Bodies: read only of those who may come in, and none so that the others wait."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette import requests
from starlette.exceptions import HTTPException
from starlette.types import Message

from pinfold.api import direct, reading
from pinfold.services.accounts import Scope
from tests.support.platform import Platform, platform, run

CID = "bafkreieu7kssc4cfequph2r4a4zm4sll7hzsn46l2thih4cboior2ejmxy"
LISTS = b'{"cids":[' + b"[]," * 400_000 + b"[]]}"
DOORS = [
    ("POST", "/api/v1/files/missing"),
    ("POST", "/api/v1/files/batch/delete"),
    ("POST", "/api/v1/pins/bulk/add"),
    ("POST", "/api/v1/pins"),
    ("POST", "/api/v1/usage/would-free"),
    ("POST", "/psa/pins"),
    ("PATCH", "/api/v1/organisation"),
]


async def ask(
    at: Platform,
    method: str,
    path: str,
    *,
    token: str | None,
    body: bytes | Callable[[], bytes] | list[Message],
    **headers: str,
) -> tuple[int, dict[str, str], Any]:
    """The status, headers and JSON that a request gets; its body is made when somebody wants it."""
    given = {"content-type": "application/json", **headers}
    if token is not None:
        given["authorization"] = f"Bearer {token}"
    sent: list[Message] = []

    async def receive() -> Message:
        if isinstance(body, list):
            if not body:
                await asyncio.Event().wait()  # nothing more comes
            return body.pop(0)
        return {"type": "http.request", "body": body if isinstance(body, bytes) else body(), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "server": ("api.test", 80),
        "client": ("192.0.2.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await at.api_app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, json.loads(b"".join(part["body"] for part in sent[1:]))


def unread() -> bytes:
    """What no refused request gets as far as."""
    raise AssertionError("the body was read")


def test_a_body_is_not_read_of_those_who_may_not_come_in(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, anonymous_requests=30) as at:
            reader = await at.token_for(Scope.AUDIT_READ)
            for method, path in DOORS:
                assert (await ask(at, method, path, token=None, body=unread))[0] == 401, path
                assert (await ask(at, method, path, token="pf_nobody", body=unread))[0] == 401, path
                assert (await ask(at, method, path, token=reader, body=unread))[0] == 403, path
            for _ in range(30 - 2 * len(DOORS)):
                await ask(at, "POST", "/psa/pins", token=None, body=unread)
            for path in ("/api/v1/files/missing", "/psa/pins", "/api/v1/sessions"):
                status, headers, _ = await ask(at, "POST", path, token=None, body=unread)
                assert (status, "retry-after" in headers) == (429, True), path

    run(go())


def test_a_refused_request_is_counted_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, anonymous_requests=50) as at:
            token = await at.token_for(organisation="other", plan="free")
            left = []
            for body in (b'{"cids":[]}', b'{"cids":0}', b"{", b'{"cids":[]}'):
                _, headers, _ = await ask(at, "POST", "/api/v1/files/missing", token=token, body=body)
                left.append(int(headers["ratelimit-remaining"]))
            assert left == [left[0], left[0] - 1, left[0] - 2, left[0] - 3]
            left = []
            for body in (b"{}", b"{", b"{}"):
                _, headers, _ = await ask(at, "POST", "/api/v1/sessions", token=None, body=body)
                left.append(int(headers["ratelimit-remaining"]))
            assert left == [49, 48, 47]

    run(go())


def test_who_asks_before_sending_and_is_refused_gets_the_connection_closed(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            status, headers, _ = await ask(at, "POST", "/api/v1/pins", token=None, body=unread, expect="100-continue")
            assert (status, headers["connection"]) == (401, "close")
            _, headers, _ = await ask(at, "POST", "/api/v1/pins", token=None, body=unread)
            assert "connection" not in headers  # what was sent of it is read and forgotten

    run(go())


def test_a_body_of_absurdly_many_values_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            for module, parser in ((direct, "json"), (reading, "orjson"), (requests, "json")):
                monkeypatch.setattr(module, parser, None)
            answers = [
                await ask(at, "POST", path, token=at.token, body=LISTS)
                for path in ("/api/v1/files/missing", "/api/v1/pins/bulk/add", "/api/v1/usage/would-free")
            ]
            monkeypatch.undo()
            for status, _, said in answers:
                assert (status, said["code"]) == (422, "INVALID_PARAMETER")
                assert "values" in said["error"]

    run(go())


def test_ten_thousand_legal_items_are_never_too_many(tmp_path: Path) -> None:
    pin = {
        "cid": CID,
        "name": ",[{" * 80,
        "metadata": {f"key-{n}": "a,b" for n in range(20)},
        "origins": [f"/dns4/host-{n}/tcp/4001" for n in range(15)],
        "priority": "high",
        "expires_at": "2099-01-01T00:00:00Z",
    }
    body = json.dumps({"pins": [pin] * 10_000}, separators=(",", ":")).encode()
    reading.check(body, 640_000)
    reading.check(json.dumps({"cids": [CID] * 10_000}).encode(), 20_000)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b"0," * 101 + b"0]}",
        b"[" * 102,
        b'["' + b"\\\\" * 200 + b'",' + b'"",' * 101 + b'""]',
        b"," * 102 + b'"' * 10_000,
    ],
)
def test_more_values_than_the_bound_are_seen_for_what_they_are(body: bytes) -> None:
    with pytest.raises(HTTPException, match="more than 100 values"):
        reading.check(body, 100)


@pytest.mark.parametrize("text", [",[{" * 200, '\\",[{"' * 200, "\\" * 201 + ",[{" * 100])
def test_what_stands_in_texts_is_no_value(text: str) -> None:
    reading.check(json.dumps({"a": [text, 1, text]}).encode(), 100)


def test_a_large_body_is_read_in_another_thread_and_answered_as_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    loads = orjson.loads

    def noted(body: bytes) -> Any:
        threads.add(threading.current_thread())
        return loads(body)

    async def go() -> None:
        async with platform(tmp_path) as at:
            monkeypatch.setattr(orjson, "loads", noted)
            path = "/api/v1/files/missing"
            large = {"cids": [CID] * 8_000}
            status, _, said = await ask(at, "POST", path, token=at.token, body=json.dumps(large).encode())
            assert (status, said["data"]["missing"]) == (200, [CID])
            many = {"cids": [CID] * 10_001}
            for wrong in (many, {**large, "extra": 1}, {"cids": [*large["cids"], 1]}, [large]):
                status, _, said = await ask(at, "POST", path, token=at.token, body=json.dumps(wrong).encode())
                assert (status, said["code"]) == (422, "INVALID_PARAMETER")
            for body, status in ((b'{"cids":["' + b"x" * 300_000, 422), (b'["\xff"]' * 99_000, 422)):
                assert (await ask(at, "POST", path, token=at.token, body=body))[0] == status
            monkeypatch.undo()

    run(go())
    assert threads
    assert threading.main_thread() not in threads


def test_a_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, upload_idle_timeout_s=0.1) as at:
            for began in (b"", b'{"email":'):
                parts: list[Message] = [{"type": "http.request", "body": began, "more_body": True}] if began else []
                status, headers, said = await ask(at, "POST", "/api/v1/sessions", token=None, body=parts)
                assert (status, said["code"], headers["connection"]) == (408, "UPLOAD_STALLED", "close")

    run(go())
