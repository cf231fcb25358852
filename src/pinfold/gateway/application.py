"""The gateway put together: request, policy, resolver, render."""

from __future__ import annotations

import time
from typing import Protocol

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from pinfold.core import public_errors
from pinfold.core.cid import CID
from pinfold.core.errors import Corrupt, PinfoldError, StoreError
from pinfold.gateway import headers, home, policy, resolver
from pinfold.gateway.errors import STATUS, Refusal
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.render import directory, file, raw, symlink
from pinfold.gateway.request import Format, GatewayRequest
from pinfold.node import Node
from pinfold.telemetry import fields, logger, metrics, request_ids

log = logger("gateway")

_RETRY_AFTER_S = "2"  # as the API's
_HTML_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Meter(Protocol):
    """Who wants to know what was served."""

    def count(self, root: str, sent_bytes: int, requests: int = 0) -> None:
        """Take note of it at once, without waiting for anything: ``root`` is the path's CID, as CIDv1."""


def create_gateway(node: Node, meter: Meter | None = None) -> Gateway:
    """The gateway of one node, which tells ``meter`` what it serves."""
    return Gateway(NodeThread(node), meter)


class Gateway:
    """An ASGI application that serves content by path."""

    def __init__(self, node: NodeThread, meter: Meter | None = None) -> None:
        self._node = node
        self._meter = meter

    async def close(self) -> None:
        """Finish what runs; after the server has stopped."""
        await self._node.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        request_id = request_ids.of(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**{fields.REQUEST_ID: request_id})
        status = sent_bytes = 0
        serving: list[str] = []  # the root, once it is known

        async def send_counted(message: Message) -> None:
            nonlocal status, sent_bytes
            size = len(message.get("body", b""))
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (request_ids.HEADER, request_id.encode("ascii"))]
            if self._meter is not None and serving and status < 400:
                # As it goes, not at the end: a long download that is killed was served all the same.
                self._meter.count(serving[0], size, int(message["type"] == "http.response.start"))
            await send(message)
            sent_bytes += size

        try:
            response = await self._answer(scope, serving)
            if scope["method"] == "HEAD":
                response = _without_body(response)
            await response(scope, receive, send_counted)
        except ClientDisconnect:
            pass  # nobody is left to answer
        except PinfoldError as exc:
            # The head is sent already: the server cuts the connection, so that the client knows that it has not all.
            log.error("answer broken off", **{fields.PATH: scope["path"], fields.ERROR: str(exc)})
        finally:
            _tell(scope, status, sent_bytes, time.perf_counter() - began)

    async def _answer(self, scope: Scope, serving: list[str]) -> Response:
        try:
            return await self._respond(scope, serving)
        except Refusal as exc:
            return _sentence(exc.status, str(exc), exc.headers)
        except PinfoldError as exc:
            return _refused(scope, exc)
        except Exception as exc:  # around a request: a bug answers 500 and is logged once
            if isinstance(exc, OSError) and (failure := public_errors.of_system(exc)) is not None:
                return _refused(scope, failure)
            log.error("request failed", exc_info=exc, **{fields.PATH: scope["path"], fields.ERROR: repr(exc)})
            return _sentence(500, "this gateway failed at the request", {})

    async def _respond(self, scope: Scope, serving: list[str]) -> Response:
        if scope["path"] == "/ping" and scope["method"] in ("GET", "HEAD"):
            return JSONResponse({"status": "ok"}, headers={**headers.COMMON, "Cache-Control": "no-store"})
        if scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            return HTMLResponse(home.page(), headers={**headers.COMMON, **_HTML_POLICY})
        policy.check_scope(scope)
        if scope["method"] == "OPTIONS":
            return Response(status_code=204, headers={**headers.COMMON, "Allow": ", ".join(policy.METHODS)})
        request = GatewayRequest.read(scope)
        serving.append(str(request.root.to_v1()))
        if (tag := policy.tag_already_held(request)) is not None and await self._is_here(request.root):
            return _not_modified(request, resolver.Found(request.root, (request.root,)), tag)
        found = await resolver.resolve(self._node, request)
        tag = headers.etag(found.cid, request.format)
        if headers.matches(request.if_none_match, tag) and await self._is_here(found.cid):
            return _not_modified(request, found, tag)
        if request.format is Format.RAW:
            return await raw.render(self._node, request, found)
        return await self._render(request, found)

    async def _is_here(self, cid: CID) -> bool:
        """Whether the block is in the catalogue; no block is read."""
        return await self._node.call(lambda: self._node.node.has(cid))

    async def _render(self, request: GatewayRequest, found: resolver.Found) -> Response:
        content = self._node.node.open_file(found.cid)
        info = await resolver.call_for(self._node, request.address, found.cid, content.info)
        if info.kind in ("directory", "hamt"):
            tag = headers.directory_etag(found.cid, request.page)
            if headers.matches(request.if_none_match, tag):
                return _not_modified(request, found, tag)
            return await directory.render(self._node, request, found)
        if info.kind == "symlink":
            return symlink.render(request, found, info.target or b"")
        return await file.render(self._node, request, found, content, info.size or 0)


def _tell(scope: Scope, status: int, sent_bytes: int, duration_s: float) -> None:
    metrics.GATEWAY_REQUESTS.labels(status).inc()
    metrics.GATEWAY_BYTES.inc(sent_bytes)
    metrics.GATEWAY_DURATION.observe(duration_s)
    log.info(
        "request",
        **{
            fields.METHOD: scope["method"],
            fields.PATH: scope["path"],
            fields.STATUS: status,
            fields.SENT_BYTES: sent_bytes,
            fields.DURATION_MS: round(duration_s * 1000, 1),
        },
    )


def _refused(scope: Scope, exc: PinfoldError) -> Response:
    """The answer to what cannot be served; what is the server's own fault is told to its log alone."""
    status = STATUS[type(exc)]
    if isinstance(exc, Corrupt):
        log.error("corrupt content", **{fields.PATH: scope["path"], fields.ERROR: str(exc)})
    elif isinstance(exc, StoreError):
        log.error("request failed", **{fields.PATH: scope["path"], fields.CODE: exc.code, fields.ERROR: str(exc)})
    retry = {"Retry-After": _RETRY_AFTER_S} if status == 503 and exc.retryable else {}
    return _sentence(status, public_errors.public(exc)[0], retry)


def _not_modified(request: GatewayRequest, found: resolver.Found, tag: str) -> Response:
    return Response(status_code=304, headers=headers.of_content(request, found.roots, tag))


def _sentence(status: int, sentence: str, extra: dict[str, str]) -> Response:
    # What is missing now may come: an error must not be kept for long.
    fields_ = {**headers.COMMON, "Cache-Control": "no-store", **extra}
    text = sentence.encode("utf-8", "replace").decode("utf-8")
    return PlainTextResponse(f"{status} {text}\n", status, fields_)


def _without_body(response: Response) -> Response:
    bare = Response(status_code=response.status_code)
    bare.raw_headers = response.raw_headers
    return bare
