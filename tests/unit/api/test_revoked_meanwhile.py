"""A token that is taken away while an upload comes: nothing is recorded by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from pinfold.services.accounts import Scope
from tests.support.cars import car_v1, raw_block
from tests.support.platform import Platform, platform, run

DATA = b"x" * 100_000
FORM = "multipart/form-data; boundary=b"
BYTES = "application/offset+octet-stream"


def form(data: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    return head + data + b"\r\n--b--\r\n"


async def broken_by(body: bytes, event: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    await event()
    yield body[len(body) // 2 :]


async def writer(at: Platform) -> tuple[httpx.AsyncClient, Callable[[], Awaitable[None]]]:
    """A client, and what revokes its token."""
    client = await at.client(await at.token_for(Scope.FILES_WRITE, Scope.FILES_READ))
    token_id = (await client.get("/api/v1/me")).json()["data"]["token_id"]

    async def revoke() -> None:
        assert (await at.api.delete(f"/api/v1/tokens/{token_id}")).status_code == 200

    return client, revoke


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type"),
    [
        ("PUT", "/api/v1/files/a.txt", DATA, "text/plain"),
        ("POST", "/api/v1/files/upload", form(DATA), FORM),
        ("POST", "/api/v1/files/car", car_v1([raw_block(DATA)]), "application/vnd.ipld.car"),
    ],
)
def test_an_upload_whose_token_is_revoked_meanwhile_is_401_and_leaves_nothing(
    tmp_path: Path, database_url: str, method: str, path: str, body: bytes, content_type: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            client, revoke = await writer(at)
            headers = {"Content-Type": content_type}
            response = await client.request(method, path, content=broken_by(body, revoke), headers=headers)
            assert (response.status_code, response.json()["error"]) == (401, "this token was revoked")
            assert (await at.api.get("/api/v1/files")).json()["pagination"]["total"] == 0
            again = await at.api.request(method, path, content=body, headers=headers)
            assert again.status_code == 201  # and its room in the quota is free again
            assert (await at.api.get("/api/v1/usage/total")).json()["data"]["limits"]["reserved_bytes"] == 0

    run(go())


def test_a_resumable_upload_whose_token_is_revoked_waits_for_another_token(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            client, revoke = await writer(at)
            version = {"Tus-Resumable": "1.0.0"}
            made = await client.post("/api/v1/files/tus", headers={**version, "Upload-Length": str(len(DATA))})
            place = made.headers["location"]
            headers = {**version, "Content-Type": BYTES, "Upload-Offset": "0"}
            response = await client.patch(place, content=broken_by(DATA, revoke), headers=headers)
            assert response.status_code == 401
            assert (await at.api.get("/api/v1/files")).json()["pagination"]["total"] == 0
            headers["Upload-Offset"] = (await at.api.head(place, headers=version)).headers["upload-offset"]
            assert headers["Upload-Offset"] == str(len(DATA))
            response = await at.api.patch(place, content=b"", headers=headers)
            assert (response.status_code, bool(response.headers["pinfold-file-id"])) == (204, True)

    run(go())


def test_an_upload_may_take_the_last_use_of_its_token(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            wish = {"name": "once", "scopes": ["files:write"], "uses": 1}
            made = (await at.api.post("/api/v1/tokens", json=wish)).json()["data"]
            client = await at.client(made["token"])
            assert (await client.put("/api/v1/files/a.txt", content=DATA)).status_code == 201
            assert (await client.put("/api/v1/files/a.txt", content=DATA)).status_code == 401

    run(go())
