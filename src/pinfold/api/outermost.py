"""The outermost layer of the API: request ids, limits, other origins, metrics and the log line."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pinfold.api import bodies, errors
from pinfold.api.cross_origin import CrossOrigin
from pinfold.telemetry import fields, logger, metrics, request_ids

log = logger("api")
_LOG: Final = logging.getLogger("pinfold.api")  # where its lines go

MAX_HEADER_BYTES: Final = 32 * 1024  # tokens, cookies and traces fit many times
NO_ROUTE: Final = "none"
"""Stands for the route of requests that none answers."""


def add_header(scope: Scope, name: str, value: str) -> None:
    """Have the answer to a request carry a header, whoever makes the answer in the end."""
    pairs: list[tuple[bytes, bytes]] = scope["state"].setdefault("answer_headers", [])
    pairs.append((name.lower().encode("latin-1"), value.encode("latin-1")))


def behind_proxies(app: ASGIApp, trusted: Sequence[str]) -> ASGIApp:
    """``app``, which believes what the proxies at those addresses pass on about clients."""
    return cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, app), list(trusted))) if trusted else app


class Outermost:
    """Wraps the whole API: ids, metrics and a log line for each request."""

    def __init__(self, app: ASGIApp, cors_origins: Sequence[str] = ()) -> None:
        """``cors_origins`` are those whose web pages may use the API."""
        self._app = app
        self._cross_origin = CrossOrigin(cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        _without_slash_at_the_end(scope)
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = request_ids.of(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**{fields.REQUEST_ID: request_id})
        if self._cross_origin:
            state.setdefault("answer_headers", []).extend(self._cross_origin.headers(scope))
        began = time.perf_counter()
        status = 0
        complete = False

        async def send_marked(message: Message) -> None:
            nonlocal status, complete
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                status = message["status"]
                marks = [(b"x-request-id", request_id.encode("ascii")), *state.get("answer_headers", ())]
                if status >= 400 and _waits_for_go_ahead(scope):
                    marks.append((b"connection", b"close"))
                message["headers"] = [*message["headers"], *marks]
            await send(message)

        metrics.HTTP_UNDER_WAY.inc()
        try:
            await self._answer(scope, receive, send_marked)
        except Exception:  # around a request: the application has logged it, and answered where it still could
            if not complete:
                raise  # only a broken connection can tell the client
        finally:
            metrics.HTTP_UNDER_WAY.dec()
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, duration_s: float) -> None:
        method, route = _known_method(scope), getattr(scope.get("route"), "path", NO_ROUTE)
        _answered(method, route, status).inc()
        _lasted(method, route).observe(duration_s)
        if not _LOG.isEnabledFor(logging.INFO):  # known before the line is made
            return
        client = scope.get("client")
        log.info(
            "request",
            **{
                fields.METHOD: scope["method"],
                fields.PATH: scope["path"],
                fields.ROUTE: route,
                fields.STATUS: status,
                fields.DURATION_MS: round(duration_s * 1000, 1),
                fields.ADDRESS: client[0] if client else None,
                fields.ORGANISATION_ID: scope["state"].get("organisation_id"),
            },
        )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        request = Request(scope)
        if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
            text = f"the headers are over the limit of {MAX_HEADER_BYTES:,} bytes"
            return await errors.answer(request, 431, text, "HEADERS_TOO_LARGE")(scope, receive, send)
        preflight = self._cross_origin.preflight(scope)
        if preflight is not None:
            return await preflight(scope, receive, send)
        limit = bodies.limit_of(scope["method"], scope["path"])
        if limit is None:
            return await self._app(scope, receive, send)
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        too_large = f"the body is over the limit of {limit:,} bytes"
        if length.isdigit() and int(length) > limit:
            return await errors.answer(request, 413, too_large, "PAYLOAD_TOO_LARGE")(scope, receive, send)
        received = 0

        async def receive_checked() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] != "http.request":
                return message
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, too_large)
            return message

        await self._app(scope, receive_checked, send)


def _without_slash_at_the_end(scope: Scope) -> None:
    """Have a path with a slash at its end mean the same as without: not every client follows redirects, and one that
    is redirected behind a proxy that is not declared would be sent from https to http."""
    path: str = scope["path"]
    if len(path) > 1 and path.endswith("/") and (scope.get("raw_path") or b"/").partition(b"?")[0].endswith(b"/"):
        scope["path"] = path[:-1]
        if scope.get("raw_path"):
            scope["raw_path"] = scope["raw_path"].partition(b"?")[0][:-1]


def _waits_for_go_ahead(scope: Scope) -> bool:
    """Whether the client asked before it sends the body: refused, it may leave it out, and what came next on the
    connection would be taken for it."""
    return any(name == b"expect" for name, _ in scope["headers"])


# To look up a series takes longer than to count; there are no more than methods, routes and statuses make.
_answered = cache(metrics.HTTP_REQUESTS.labels)
_lasted = cache(metrics.HTTP_DURATION.labels)


def _known_method(scope: Scope) -> str:
    """The method, where it is one of the usual: a stranger must not make a time series by each word he thinks of."""
    return scope["method"] if scope["method"] in errors.METHODS else "OTHER"
