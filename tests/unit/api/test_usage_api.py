from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pinfold.core.cid import CID
from pinfold.services.accounts import Scope
from tests.support.platform import PATIENCE_S, Platform, platform, run

USAGE = "/api/v1/usage"
KIB = 1024


def data(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    assert response.json()["success"] is True
    return response.json()["data"]


async def today(api: httpx.AsyncClient) -> dict[str, Any]:
    day: dict[str, Any] = data(await api.get(USAGE))[-1]
    assert day["day"] == str(datetime.now(UTC).date())
    return day


async def until(api: httpx.AsyncClient, **values: int) -> dict[str, Any]:
    """Today, once it has these values: what is counted is written down every few seconds."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            day = await today(api)
            if all(day[name] >= value for name, value in values.items()):
                return day
            await asyncio.sleep(0.05)


async def pinned(at: Platform, content: bytes) -> dict[str, Any]:
    record = await at.upload(content)
    await at.until(record["cid"], "pinned")
    return record


def test_what_is_uploaded_requested_and_served_stands_in_todays_usage(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            record = await pinned(at, b"x" * KIB)
            other = await at.tenant("other")
            for _ in range(3):
                assert (await at.gateway.get(f"/ipfs/{record['cid']}")).content == b"x" * KIB
            assert (await at.gateway.get(f"/ipfs/{CID.of(b'nothing')}")).status_code == 404
            day = await until(at.api, gateway_requests=3, requests=1)
            assert (day["files"], day["pins"], day["logical_bytes"]) == (1, 0, KIB)
            assert (day["uploads"], day["uploaded_bytes"]) == (1, KIB)
            assert (day["gateway_requests"], day["gateway_egress_bytes"]) == (3, 3 * KIB)
            theirs = await today(other)
            assert (theirs["files"], theirs["gateway_requests"], theirs["uploads"]) == (0, 0, 0)

    run(go())


def test_bytes_are_measured_on_request(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            await pinned(at, b"x" * KIB)
            async with asyncio.timeout(PATIENCE_S):  # the hourly one may have been a moment before
                while True:
                    measured_at = data(await at.api.post(f"{USAGE}/measure"))["measured_at"]
                    total = data(await at.api.get(f"{USAGE}/total"))
                    if total["kept"]["unique_bytes"]:
                        break
                    await asyncio.sleep(0.1)
            assert total["kept"]["measured_at"] == measured_at
            assert total["kept"]["unique_bytes"] == KIB
            assert total["limits"]["bytes"] is None
            assert total["done"]["uploads"] == 1

    run(go())


def test_what_deleting_would_free_says_nothing_of_other_tenants(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            record = await pinned(at, b"x" * KIB)
            wish = {"files": [record["id"]]}
            assert data(await at.api.post(f"{USAGE}/would-free", json=wish)) == {
                "logical_bytes": KIB,
                "freed_bytes": KIB,
                "freed_blocks": 1,
                "roots": 1,
                "roots_still_needed": 0,
            }
            other = await at.tenant("other")
            theirs = data(await other.post("/api/v1/files/upload", files={"file": ("b.txt", b"x" * KIB)}), 201)
            found = data(await at.api.post(f"{USAGE}/would-free", json={"cids": [record["cid"]]}))
            assert (found["freed_bytes"], found["roots_still_needed"]) == (KIB, 0)
            response = await at.api.post(f"{USAGE}/would-free", json={"files": [theirs["id"]]})
            assert (response.status_code, response.json()["code"]) == (404, "FILE_NOT_FOUND")
            assert (await at.api.get(f"/api/v1/files/{record['id']}")).status_code == 200, "nothing was deleted"

    run(go())


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({}, 422, "INVALID_PARAMETER"),
        ({"files": ["x"]}, 422, "INVALID_PARAMETER"),
        ({"files": [], "more": 1}, 422, "INVALID_PARAMETER"),
        ({"cids": ["no cid"]}, 400, "INVALID_CID"),
        ({"cids": [str(CID.of(b"nobody has this"))]}, 404, "PIN_NOT_FOUND"),
        ({"pins": [str(uuid4())]}, 404, "PIN_NOT_FOUND"),
        ({"pins": [str(uuid4())] * 1001}, 422, "INVALID_PARAMETER"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    tmp_path: Path, wish: dict[str, Any], status: int, code: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await at.api.post(f"{USAGE}/would-free", json=wish)
            assert (response.status_code, response.json()["code"]) == (status, code)

    run(go())


def test_days_are_asked_for_by_from_and_to(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            now = datetime.now(UTC).date()
            assert data(await at.api.get(USAGE, params={"to": str(now - timedelta(days=1))})) == []
            assert len(data(await at.api.get(USAGE, params={"from": str(now)}))) == 1
            for query, status in (
                ({"from": str(now), "to": str(now - timedelta(days=1))}, 400),
                ({"from": "2020-01-01"}, 400),
                ({"from": "yesterday"}, 422),
            ):
                assert (await at.api.get(USAGE, params=query)).status_code == status

    run(go())


def test_usage_needs_its_scope(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            reader = await at.client(await at.token_for(Scope.USAGE_READ))
            lacking = await at.client(await at.token_for(Scope.FILES_READ))
            nobody = await at.client(None)
            for method, path in (("GET", ""), ("GET", "/total"), ("POST", "/measure")):
                granted = 403 if path == "/measure" else 200  # which is work for the whole server
                assert (await reader.request(method, USAGE + path)).status_code == granted
                assert (await lacking.request(method, USAGE + path)).status_code == 403
                assert (await nobody.request(method, USAGE + path)).status_code == 401
            wish = {"cids": [str(CID.of(b"x"))]}
            assert (await reader.post(f"{USAGE}/would-free", json=wish)).status_code == 404
            assert (await lacking.post(f"{USAGE}/would-free", json=wish)).status_code == 403

    run(go())
