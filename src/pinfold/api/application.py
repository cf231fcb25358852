"""The API put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from pinfold.api import documentation, errors, metrics, rights, wellness
from pinfold.api.direct import Direct
from pinfold.api.outermost import Outermost, behind_proxies
from pinfold.api.pinning import router as psa
from pinfold.api.undeclared_proxy import UndeclaredProxy
from pinfold.api.v1 import (
    administration,
    audit,
    files,
    jobs,
    organisation,
    pins,
    pins_bulk,
    projects,
    sessions,
    tokens,
    tus,
    uploads,
    usage,
    webhooks,
)
from pinfold.services.accounts import AccountsService
from pinfold.services.accounts.members import MembersService
from pinfold.services.accounts.organisations import OrganisationsService
from pinfold.services.accounts.projects import ProjectsService
from pinfold.services.accounts.sign_in import SignInService
from pinfold.services.accounts.tokens import TokensService
from pinfold.services.accounts.users import UsersService
from pinfold.services.audit import AuditService
from pinfold.services.background import BackgroundService
from pinfold.services.files import FilesService
from pinfold.services.files.resumable import ResumableUploads
from pinfold.services.gauges import Gauges
from pinfold.services.health import HealthService
from pinfold.services.limits import LimitsService, RatesService
from pinfold.services.pins import PinsService
from pinfold.services.pins.bulk import BulkPins
from pinfold.services.usage import RequestMeter, UsageService
from pinfold.services.webhooks import WebhooksService
from pinfold.version import __version__

_DESCRIPTION = """Upload files, pin CIDs, and see how the copies stand.

Every answer is an envelope: `{"success": true, "data": …}`, and lists add `pagination`.  Errors are
`{"success": false, "error": a sentence, "code": a stable code, "hint": …, "request_id": …}` with the right status.

Times have a zone, as in `2026-12-31T12:00:00Z`; where a request takes one, a date is its first moment in UTC.
"""


_JSON: Final = "application/json"
_ROUTERS: Final = (  # looked through in this order
    pins_bulk.router,
    pins.router,
    psa.router,
    tus.router,
    files.router,
    jobs.router,
    uploads.router,
    webhooks.router,
    usage.router,
    sessions.router,
    tokens.router,
    organisation.router,
    projects.router,
    audit.router,
    administration.router,
    wellness.router,
    metrics.router,
    documentation.router,
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the API can call on."""

    accounts: AccountsService
    tokens: TokensService
    sign_in: SignInService
    users: UsersService
    members: MembersService
    organisations: OrganisationsService
    projects: ProjectsService
    audit: AuditService
    limits: LimitsService
    rates: RatesService
    files: FilesService
    resumable: ResumableUploads
    background: BackgroundService
    pins: PinsService
    bulk_pins: BulkPins
    webhooks: WebhooksService
    usage: UsageService
    requests: RequestMeter
    health: HealthService
    gauges: Gauges


def create_api(
    services: Services,
    *,
    max_request_bytes: int,
    metrics_access: metrics.Access = "loopback",
    trusted_proxies: Sequence[str] = (),
    delegates: Sequence[str] = (),
    gateway_url: str = "",
    upload_idle_timeout_s: float = 30.0,
    cors_origins: Sequence[str] = (),
) -> ASGIApp:
    """The API as an ASGI application; what ``trusted_proxies`` pass on about clients is believed.

    ``delegates`` are multiaddrs that clients of the Pinning Service API are told, ``gateway_url`` is where they reach
    the gateway.  An upload that is silent for ``upload_idle_timeout_s`` is ended.  Web pages of ``cors_origins`` may
    use the API.
    """
    api = build(services, max_request_bytes=max_request_bytes, metrics_access=metrics_access)
    api.state.delegates = tuple(delegates)
    api.state.gateway_url = gateway_url
    api.state.upload_idle_timeout_s = upload_idle_timeout_s
    routes = [route for router in _ROUTERS for route in router.routes]
    outermost = behind_proxies(Outermost(Direct(api, routes), cors_origins), trusted_proxies)
    api.state.undeclared_proxy = UndeclaredProxy(outermost, trusted_proxies)
    watched: ASGIApp = api.state.undeclared_proxy
    return watched


class _Described(FastAPI):
    """Says of each endpoint what right it needs, and what any of them may answer."""

    def openapi(self) -> dict[str, Any]:
        """The description."""
        is_new = self.openapi_schema is None
        described = super().openapi()
        if is_new:
            rights.tell(described, [route for router in _ROUTERS for route in router.routes])
            _tell_refusals(described)
        return described


def _tell_refusals(described: dict[str, Any]) -> None:
    """Add what any endpoint may answer: to an unknown query parameter, an address too long, and a body not JSON."""
    for item in described["paths"].values():
        for operation in item.values():
            operation.setdefault("security", [])  # said of those that need no token, too
            known = operation["responses"]
            known.setdefault("400", _refusal(400))
            if "4XX" not in known:
                known.setdefault("414", _refusal(414))
            if _JSON in operation.get("requestBody", {}).get("content", {}) and "4XX" not in known:
                known.setdefault("415", _refusal(415))


def _refusal(status: int) -> dict[str, Any]:
    return {
        "description": errors.DESCRIPTIONS[status],
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def build(services: Services | None, *, max_request_bytes: int, metrics_access: metrics.Access = "loopback") -> FastAPI:
    """The API without its outermost layer; no services are needed to describe it."""
    api = _Described(
        title="Pinfold",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # the framework's page loads scripts from the network
        redoc_url=None,
        servers=[{"url": "/", "description": "The server that this description came from."}],
        license_info={"name": "MIT or Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        redirect_slashes=False,  # the outermost layer takes them off
        openapi_tags=[
            {"name": "files", "description": "What was uploaded."},
            {"name": "jobs", "description": "What was asked for and takes long."},
            {"name": "pins", "description": "What is to be kept."},
            {"name": "pinning service", "description": "The Pinning Service API 1.0.0, with its own form of errors."},
            {"name": "webhooks", "description": "Who is told what happens."},
            {"name": "usage", "description": "What is kept, and what was done."},
            {"name": "people", "description": "Who may call: sessions, tokens and oneself."},
            {"name": "organisation", "description": "One's own organisation: members, projects, audit log."},
            {"name": "administration", "description": "All organisations, users and plans of the server."},
            {"name": "server", "description": "The server itself."},
        ],
        generate_unique_id_function=lambda route: route.name,
    )
    api.state.services = services
    api.state.max_request_bytes = max_request_bytes
    api.state.metrics_access = metrics_access
    errors.add_error_handlers(api)
    for router in _ROUTERS:
        api.include_router(router)
    return api


def openapi() -> dict[str, Any]:
    """The OpenAPI description."""
    return build(None, max_request_bytes=0).openapi()
