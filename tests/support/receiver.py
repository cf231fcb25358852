"""Somebody who gets webhooks: an ASGI application that checks signatures, and answers what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Answer = Callable[[], Awaitable[Response]]


def verified(secret: str, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """The event, once the signature is what Standard Webhooks' own library makes; whether it is fresh is not asked."""
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(headers["webhook-id"], at, content.decode())
    assert expected in headers["webhook-signature"].split(" ")
    event: dict[str, Any] = json.loads(content)
    return event


@dataclass
class Receiver:
    """Gets events for one secret; ``got`` are those whose signature was good."""

    secret: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    answer: Answer | None = None
    """Answers in place of all that."""
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """``webhook-id`` and body."""
    paths: list[str] = field(default_factory=list)
    seen: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one event."""
        request = Request(scope, receive)
        content = await request.body()
        event = verified(self.secret, request.headers, content)
        async with self.seen:
            self.got.append((request.headers["webhook-id"], event))
            self.paths.append(request.url.path)
            self.seen.notify_all()
        response = await self.answer() if self.answer else Response(self.body, self.status, self.headers)
        await response(scope, receive, send)

    async def until(self, number: int, patience_s: float = 10.0) -> list[tuple[str, dict[str, Any]]]:
        """What it got, once it is so much."""
        async with asyncio.timeout(patience_s), self.seen:
            await self.seen.wait_for(lambda: len(self.got) >= number)
        return self.got
