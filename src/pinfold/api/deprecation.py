"""How an endpoint says that it will go: headers that programs can read, on every answer of it.

Source:  RFC 9745 (Deprecation), RFC 8594 (Sunset), RFC 8288 (Link).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from fastapi import Request

from pinfold.api.outermost import add_header


def deprecated(
    since: datetime, *, sunset: datetime | None = None, link: str = ""
) -> Callable[[Request], Awaitable[None]]:
    """A dependency for a route that is deprecated since then, is gone at ``sunset`` and is replaced as ``link`` tells.

    Use it as ``dependencies=[Depends(deprecated(…))]`` beside ``deprecated=True``, which marks the route in OpenAPI.
    Raises:  ValueError for times without a zone, and a sunset that comes before.
    """
    if since.tzinfo is None or (sunset is not None and sunset.tzinfo is None):
        raise ValueError("these times need a zone")
    if sunset is not None and sunset < since:
        raise ValueError("a route cannot be gone before it is deprecated")
    headers = [("Deprecation", f"@{int(since.timestamp())}")]
    if sunset is not None:
        headers.append(("Sunset", format_datetime(sunset.astimezone(UTC), usegmt=True)))
    if link:
        headers.append(("Link", f'<{link}>; rel="deprecation"; type="text/html"'))

    async def say_so(request: Request) -> None:
        for name, value in headers:
            add_header(request.scope, name, value)

    return say_so
