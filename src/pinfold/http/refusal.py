"""Requests that are refused before any application sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Final


class Refusal(Exception):
    """A request, or a connection, that is answered by a status and closed."""

    def __init__(self, status: int, sentence: str, code: str, hint: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.code = code
        self.hint = hint


Render = Callable[[Refusal, str], tuple[bytes, bytes]]
"""The content type and the body of a refusal; the string is the request's id."""


def as_json(refusal: Refusal, request_id: str) -> tuple[bytes, bytes]:
    """The error form of the API's envelope."""
    problem = {
        "success": False,
        "error": refusal.sentence,
        "code": refusal.code,
        "hint": refusal.hint,
        "request_id": request_id,
    }
    return b"application/json", json.dumps(problem).encode()


def as_text(refusal: Refusal, request_id: str) -> tuple[bytes, bytes]:
    """One line, as the gateway answers errors."""
    del request_id  # it stands in the header
    return b"text/plain; charset=utf-8", f"{refusal.status} {refusal.sentence}\n".encode()


_RETRY_AFTER_S: Final = 2  # connections end all the time


def answer(refusal: Refusal, render: Render, request_id: str) -> bytes:
    """The whole answer, head and body."""
    kind, body = render(refusal, request_id)
    status = HTTPStatus(refusal.status)
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}".encode(),
        b"content-type: " + kind,
        b"content-length: %d" % len(body),
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
        b"x-request-id: " + request_id.encode(),
        b"connection: close",
    ]
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append(b"retry-after: %d" % _RETRY_AFTER_S)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
