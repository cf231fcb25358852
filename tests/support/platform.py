"""The whole platform in this process, without sockets: real node, database, worker, API and gateway.

With ``database_url`` of a PostgreSQL it talks to that one; a test that takes the fixture of that name runs on both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.types import ASGIApp

from pinfold.app.wiring import assemble
from pinfold.db import Database
from pinfold.services.accounts import Scope
from pinfold.settings import Settings
from tests.support.tenants import EVERY_TENANT_SCOPE, tenant_token

T = TypeVar("T")

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Platform:
    """Two clients, as two programs would have them, and more on request."""

    api: httpx.AsyncClient
    """Sends the owner's token."""
    gateway: httpx.AsyncClient
    token: str
    api_app: ASGIApp
    """The API itself, for requests that no client would make."""
    status_app: ASGIApp
    """What a process answers about itself."""
    database: Database
    _stack: AsyncExitStack

    async def token_for(self, *scopes: Scope, organisation: str = "default", plan: str = "unlimited") -> str:
        """A token with those scopes, or all of a tenant; the organisation of that slug is made if missing."""
        wanted: Iterable[Scope] = scopes or EVERY_TENANT_SCOPE
        return await asyncio.to_thread(tenant_token, self.database, organisation, wanted, plan)

    async def tenant(self, organisation: str, *scopes: Scope, plan: str = "unlimited") -> httpx.AsyncClient:
        """A client of the API with a token of another organisation, which is made where it is missing."""
        return await self.client(await self.token_for(*scopes, organisation=organisation, plan=plan))

    async def client(self, token: str | None) -> httpx.AsyncClient:
        """A client of the API that sends ``token``, or none; closed with the platform."""
        return await self._stack.enter_async_context(_client(self.api_app, token))

    async def upload(self, data: bytes, name: str = "a.txt") -> dict[str, Any]:
        """The file's record."""
        response = await self.api.post("/api/v1/files/upload", files={"file": (name, data)})
        assert response.status_code == 201, response.text
        record: dict[str, Any] = response.json()["data"]
        return record

    async def pin_status(self, cid: str) -> dict[str, Any]:
        """How a CID stands."""
        response = await self.api.get(f"/api/v1/pins/{cid}/status")
        assert response.status_code == 200, response.text
        report: dict[str, Any] = response.json()["data"]
        return report

    async def until(self, cid: str, status: str) -> dict[str, Any]:
        """How a CID stands once its newest request has ``status`` and nobody works at it."""
        async with asyncio.timeout(PATIENCE_S):
            while (report := await self.pin_status(cid))["pinStatus"] != status:
                await asyncio.sleep(0.01)
        return report


@asynccontextmanager
async def platform(data_dir: Path, *, token: str = "", **settings: Any) -> AsyncIterator[Platform]:
    """The platform on one data folder; ``token`` is needed from the second start on.

    Settings go by their names; ``database_url`` is SQLite in the data folder where it is empty.
    """
    values = {
        "gateway_address": "127.0.0.1:0",
        "api_address": "127.0.0.1:0",
        "database_url": "",
        "fetch_routers": "off",  # no test reaches the network
        **settings,
    }
    async with assemble(Settings(data_dir=data_dir, **values)) as parts, AsyncExitStack() as stack:
        token = token or await parts.accounts.make_owner_token() or ""
        api = await stack.enter_async_context(_client(parts.api, token))
        gateway = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(parts.gateway), base_url="http://gateway.test")
        )
        yield Platform(api, gateway, token, parts.api, parts.status, parts.database, stack)


def _client(api: ASGIApp, token: str | None) -> httpx.AsyncClient:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api.test", headers=headers)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine."""
    return asyncio.run(work)
