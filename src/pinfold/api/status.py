"""What a process of any role answers about itself, at an address of its own: how it is, and what it counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from pinfold.api import errors, metrics, wellness
from pinfold.api.application import Services
from pinfold.api.direct import Direct
from pinfold.api.outermost import Outermost, behind_proxies

_ROUTERS: Final = (wellness.router, metrics.router)


def create_status(
    services: Services, *, metrics_access: metrics.Access = "loopback", trusted_proxies: Sequence[str] = ()
) -> ASGIApp:
    """``/ping``, ``/health``, ``/ready`` and ``/metrics`` as the API answers them, and nothing else."""
    status = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    status.state.services = services
    status.state.metrics_access = metrics_access
    errors.add_error_handlers(status)
    for router in _ROUTERS:
        status.include_router(router)
    routes = [route for router in _ROUTERS for route in router.routes]
    return behind_proxies(Outermost(Direct(status, routes)), trusted_proxies)
