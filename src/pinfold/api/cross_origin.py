"""Requests from web pages of other origins: which are allowed, and what their browsers may send and read.

Without allowed origins no answer has a CORS header.  Credentials of the browser are never allowed: who calls is said by
the bearer token alone, so a page can do nothing that its own token does not permit.

Source:  the Fetch standard, "CORS protocol".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from pinfold.api import errors

ANY: Final = "*"

_METHODS: Final = ", ".join(errors.METHODS)
_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Content-Range",
    "Range",
    "Tus-Resumable",
    "Upload-Checksum",
    "Upload-Concat",
    "Upload-Defer-Length",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    "X-HTTP-Method-Override",
    "X-Request-Id",
    "X-Requested-With",
)
"""What clients send; others that a preflight asks for are allowed as well, since none has a meaning here."""
_EXPOSED: Final = ", ".join(
    (
        "Allow",
        "Deprecation",
        "ETag",
        "Link",
        "Location",
        "Pinfold-File-Id",
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
        "Retry-After",
        "Sunset",
        "Tus-Checksum-Algorithm",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Resumable",
        "Tus-Version",
        "Upload-Concat",
        "Upload-Defer-Length",
        "Upload-Expires",
        "Upload-Length",
        "Upload-Metadata",
        "Upload-Offset",
        "WWW-Authenticate",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "X-Request-Id",
    )
)
_MAX_AGE_S: Final = "7200"  # Chromium keeps an answer no longer
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_CLOSED: Final = "/metrics"  # programs of this machine read it without a token, and a browser on it is one

HeaderPairs = list[tuple[bytes, bytes]]


class CrossOrigin:
    """The rules of one server."""

    def __init__(self, origins: Iterable[str]) -> None:
        """``origins`` as browsers send them, or ``*`` for all."""
        self._origins = frozenset(origins)
        self._takes_any = ANY in self._origins

    def __bool__(self) -> bool:
        return bool(self._origins)

    def headers(self, scope: Scope) -> HeaderPairs:
        """What the answer to a request carries, whatever its status is."""
        if not self._origins or scope["path"] == _CLOSED:
            return []
        found: HeaderPairs = [] if self._takes_any else [(b"vary", b"Origin")]  # caches keep an answer for each origin
        origin = _header(scope, b"origin")
        if self._allows(origin):
            allowed = ANY if self._takes_any else origin
            found.append((b"access-control-allow-origin", allowed.encode("latin-1")))
            found.append((b"access-control-expose-headers", _EXPOSED.encode("ascii")))
        return found

    def preflight(self, scope: Scope) -> Response | None:
        """The answer to a preflight, which carries no token and counts against no limit; None for other requests."""
        if scope["method"] != "OPTIONS" or not self._origins or scope["path"] == _CLOSED:
            return None
        origin = _header(scope, b"origin")
        if not origin or not _header(scope, b"access-control-request-method"):
            return None
        if not self._allows(origin):
            return errors.answer(
                Request(scope),
                403,
                "pages of this origin may not use this API",
                "ORIGIN_NOT_ALLOWED",
                "The operator names allowed origins in the setting cors_origins.",
            )
        requested = _header(scope, b"access-control-request-headers").split(",")
        known = {name.lower() for name in _HEADERS}
        others = (name.strip() for name in requested if name.strip().lower() not in known)
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": ", ".join(
                    (*_HEADERS, *(name for name in others if _HEADER_NAME.fullmatch(name)))
                ),
                "Access-Control-Max-Age": _MAX_AGE_S,
            },
        )

    def _allows(self, origin: str) -> bool:
        return bool(origin) and (self._takes_any or origin in self._origins)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
