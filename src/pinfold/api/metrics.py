"""What Prometheus reads."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from pinfold.api.auth import authenticate, scheme
from pinfold.api.errors import responses
from pinfold.services.accounts import Scope
from pinfold.services.gauges import Gauges
from pinfold.telemetry import metrics

router = APIRouter(tags=["server"])

Access = Literal["loopback", "token", "anyone"]


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_description="The text format of Prometheus.",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **responses(401, 403)},
)
async def show_metrics(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)]
) -> Response:
    """Counters of this process, and gauges of the whole platform.

    Programs on this machine may read it by `localhost` or a loopback address, others need a token with the scope
    `server:admin`; the setting `metrics_access` changes that.
    """
    if not is_open_to(request):
        (await authenticate(request, given)).require(Scope.SERVER_ADMIN)
    gauges: Gauges = request.app.state.services.gauges
    await gauges.refresh()
    return Response(generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


def is_open_to(request: Request) -> bool:
    """Whether the request may read metrics without a token."""
    access: Access = request.app.state.metrics_access
    return access == "anyone" or (access == "loopback" and _is_local(request))


def _is_local(request: Request) -> bool:
    """Whether a program on this machine asks for itself: a proxy on this machine asks for others, and says so."""
    if request.client is None or any(name in request.headers for name in ("forwarded", "x-forwarded-for", "via")):
        return False
    try:
        return ip_address(request.client.host).is_loopback and _names_this_machine(request.headers.get("host", ""))
    except ValueError:
        return False


def _names_this_machine(host: str) -> bool:
    """Whether a ``Host`` is a loopback name or address, or none.

    A page whose name an attacker points to 127.0.0.1 (DNS rebinding) reads by its own name, from a browser that runs
    on this machine.
    """
    name = re.sub(r":\d*$", "", host).strip("[]").rstrip(".").lower()
    if not name or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
