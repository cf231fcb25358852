"""Rate limits of requests, and the headers that say where somebody stands with them."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Final

from fastapi import Depends, Request

from pinfold.api.outermost import add_header
from pinfold.core.errors import TooManyRequests
from pinfold.services.accounts import Caller
from pinfold.services.limits import RatesService, Standing

_UPLOADS: Final = (
    ("POST", re.compile(r"/api/v1/files/(upload|car|tus)/?")),
    ("PUT", re.compile(r"/api/v1/files/[^/]+")),
)


def address_of(request: Request) -> str:
    """The network address that a request came from; empty where it is none (a socket of this machine)."""
    return _as_address(request.client.host) if request.client else ""


@lru_cache(maxsize=4096)
def _as_address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


async def limit_caller(request: Request, caller: Caller) -> None:
    """Count a request of the caller's organisation.  Raises: TooManyRequests."""
    rates: RatesService = request.app.state.services.rates
    method, path = request.method, request.scope["path"]
    is_upload = any(method == verb and pattern.fullmatch(path) for verb, pattern in _UPLOADS)
    _tell(request, await rates.take(caller, is_upload=is_upload))


async def limit_address(request: Request) -> None:
    """Count a request without a good token, by its address, once.  Raises: TooManyRequests."""
    state = request.scope["state"]
    if state.get("address_is_counted"):
        return
    state["address_is_counted"] = True
    rates: RatesService = request.app.state.services.rates
    _tell(request, await rates.take_anonymous(address_of(request)))


Anonymous = Annotated[None, Depends(limit_address)]
"""Of endpoints that need no token."""


def _tell(request: Request, standing: Standing | None) -> None:
    if standing is None:
        return
    for prefix in ("ratelimit-", "x-ratelimit-"):
        add_header(request.scope, f"{prefix}limit", str(standing.limit))
        add_header(request.scope, f"{prefix}remaining", str(standing.remaining))
        add_header(request.scope, f"{prefix}reset", str(standing.reset_s))
    if standing.is_over:
        add_header(request.scope, "retry-after", str(standing.reset_s))
        raise TooManyRequests(
            f"more than {standing.limit:,} {standing.noun} in {_said(standing.window_s)}: "
            f"come back in {standing.reset_s:,} s"
        )


def _said(seconds: int) -> str:
    if seconds % 86_400 == 0:
        return f"{seconds // 86_400} d"
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
