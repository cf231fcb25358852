"""The outermost layer of the API: request ids, limits and the log line."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pinfold.api import bodies, errors
from pinfold.telemetry import fields, logger

log = logger("api")

MAX_HEADER_BYTES: Final = 32 * 1024  # tokens, cookies and traces fit many times
_USABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Outermost:
    """Wraps the whole API."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        given = next((value for name, value in headers if name == b"x-request-id"), b"").decode("latin-1")
        request_id = given if _USABLE_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**{fields.REQUEST_ID: request_id})
        began = time.perf_counter()
        status = 0
        complete = False

        async def send_marked(message: Message) -> None:
            nonlocal status, complete
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode("ascii"))]
            await send(message)

        try:
            await self._answer(scope, receive, send_marked)
        except Exception:  # around a request: the application has logged it, and answered where it still could
            if not complete:
                raise  # only a broken connection can tell the client
        finally:
            log.info(
                "request",
                **{
                    fields.METHOD: scope["method"],
                    fields.PATH: scope["path"],
                    fields.STATUS: status,
                    fields.DURATION_MS: round((time.perf_counter() - began) * 1000, 1),
                },
            )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        request = Request(scope)
        if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
            text = f"the headers are over the limit of {MAX_HEADER_BYTES:,} bytes"
            return await errors.answer(request, 431, text, "HEADERS_TOO_LARGE")(scope, receive, send)
        limit = bodies.limit_of(scope["method"], scope["path"])
        if limit is None:
            return await self._app(scope, receive, send)
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        too_large = f"the body is over the limit of {limit:,} bytes"
        if length.isdigit() and int(length) > limit:
            return await errors.answer(request, 413, too_large, "PAYLOAD_TOO_LARGE")(scope, receive, send)
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, too_large)
            return message

        await self._app(scope, receive_bounded, send)
