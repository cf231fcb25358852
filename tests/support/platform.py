"""The whole platform in this process, without sockets: real node, database, worker, API and gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.types import ASGIApp

from pinfold.app.wiring import assemble
from pinfold.settings import Settings

T = TypeVar("T")

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Platform:
    """Two clients, as two programs would have them."""

    api: httpx.AsyncClient
    """Sends the owner's token."""
    gateway: httpx.AsyncClient
    token: str
    api_app: ASGIApp
    """The API itself, for requests that no client would make."""

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
    """The platform on one data folder; ``token`` is needed from the second start on."""
    values = {"gateway_address": "127.0.0.1:0", "api_address": "127.0.0.1:0", "database_url": "", **settings}
    async with assemble(Settings(data_dir=data_dir, **values)) as parts:
        token = token or await parts.accounts.make_owner_token() or ""
        async with (
            httpx.AsyncClient(
                transport=httpx.ASGITransport(parts.api),
                base_url="http://api.test",
                headers={"Authorization": f"Bearer {token}"},
            ) as api,
            httpx.AsyncClient(transport=httpx.ASGITransport(parts.gateway), base_url="http://gateway.test") as gateway,
        ):
            yield Platform(api, gateway, token, parts.api)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine."""
    return asyncio.run(work)
