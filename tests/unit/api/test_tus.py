from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pinfold.core.cid import CID
from tests.support.platform import Platform, platform, run

TUS = "/api/v1/files/tus"
VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = {**VERSION, "Content-Type": "application/offset+octet-stream"}


def metadata(**said: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())


async def begin(at: Platform, length: int, **said: str) -> str:
    headers = {**VERSION, "Upload-Length": str(length), "Upload-Metadata": metadata(**said)}
    response = await at.api.post(TUS, headers=headers)
    assert response.status_code == 201, response.text
    assert response.headers["tus-resumable"] == "1.0.0"
    return response.headers["location"]


async def send(
    at: Platform, place: str, offset: int, data: bytes | AsyncIterator[bytes], **more: str
) -> httpx.Response:
    return await at.api.patch(place, content=data, headers={**BYTES, "Upload-Offset": str(offset), **more})


async def offset_of(at: Platform, place: str) -> int:
    response = await at.api.head(place, headers=VERSION)
    assert response.status_code == 200
    return int(response.headers["upload-offset"])


def bytes_on_disk(data_dir: Path) -> list[int]:
    return [entry.stat().st_size for entry in (data_dir / "uploads").iterdir()]


def test_an_upload_in_pieces_becomes_a_file(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            data = bytes(range(256)) * 9000
            place = await begin(at, len(data), filename="big.bin", filetype="x/y", tags="a,b", metadata='{"k": "v"}')
            first = await send(at, place, 0, data[:1_500_000])
            assert (first.status_code, first.headers["upload-offset"]) == (204, "1500000")
            assert "pinfold-file-id" not in first.headers
            head = await at.api.head(place, headers=VERSION)
            assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("1500000", str(len(data)))
            assert head.headers["cache-control"] == "no-store"
            assert head.headers["upload-expires"].endswith("GMT")
            assert head.headers["upload-metadata"].startswith("filename ")
            last = await send(at, place, 1_500_000, data[1_500_000:])
            assert last.status_code == 204, last.text
            file_id = last.headers["pinfold-file-id"]
            record = (await at.api.get(f"/api/v1/files/{file_id}")).json()["data"]
            assert (record["name"], record["content_type"], record["size"]) == ("big.bin", "x/y", len(data))
            assert (record["tags"], record["metadata"]) == (["a", "b"], {"k": "v"})
            await at.until(record["cid"], "pinned")
            assert (await at.gateway.get(f"/ipfs/{record['cid']}")).content == data
            assert bytes_on_disk(tmp_path) == []
            assert (await at.api.get(place)).json()["data"]["file_id"] == file_id
            assert (await at.api.head(place, headers=VERSION)).headers["pinfold-file-id"] == file_id

    run(go())


def test_an_upload_of_nothing_is_a_file_at_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await at.api.post(TUS, headers={**VERSION, "Upload-Length": "0"})
            assert response.status_code == 201
            record = (await at.api.get(f"/api/v1/files/{response.headers['pinfold-file-id']}")).json()["data"]
            assert (record["size"], record["cid"]) == (0, str(CID.of(b"")))

    run(go())


def test_the_first_bytes_may_come_with_the_creation(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await at.api.post(TUS, headers={**BYTES, "Upload-Length": "5"}, content=b"hel")
            assert (response.status_code, response.headers["upload-offset"]) == (201, "3")
            last = await send(at, response.headers["location"], 3, b"lo")
            assert last.headers["pinfold-file-id"]

    run(go())


def test_bytes_that_do_not_go_on_where_it_stands_are_409(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            assert (await send(at, place, 0, b"12345")).status_code == 204
            for offset in (0, 4, 6, 10):
                refused = await send(at, place, offset, b"x")
                assert (refused.status_code, refused.json()["code"]) == (409, "OFFSET_MISMATCH")
                assert refused.headers["tus-resumable"] == "1.0.0"
            assert await offset_of(at, place) == 5

    run(go())


async def break_off(at: Platform, place: str, data: bytes, **more: str) -> None:
    """Send bytes, and go away before the request is whole."""
    messages: list[Any] = [{"type": "http.request", "body": data, "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def answer(message: Any) -> None:
        pass

    headers = {**BYTES, "Upload-Offset": "0", "Authorization": f"Bearer {at.token}", **more}
    scope = {
        "type": "http",
        "method": "PATCH",
        "path": place,
        "raw_path": place.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    await at.api_app(scope, receive, answer)


def test_a_body_that_breaks_off_counts_as_far_as_it_came(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            await break_off(at, place, b"12345")
            assert await offset_of(at, place) == 5
            assert (await send(at, place, 5, b"67890")).headers["pinfold-file-id"]

    run(go())


def test_a_body_with_a_checksum_that_breaks_off_counts_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            digest = base64.b64encode(hashlib.sha1(b"1234567890").digest()).decode()
            await break_off(at, place, b"12345", **{"Upload-Checksum": f"sha1 {digest}"})
            assert await offset_of(at, place) == 0

    run(go())


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_checksum_keeps_all_of_a_request_or_nothing(tmp_path: Path, algorithm: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            digest = base64.b64encode(hashlib.new(algorithm, b"12345").digest()).decode()
            wrong = await send(at, place, 0, b"12346", **{"Upload-Checksum": f"{algorithm} {digest}"})
            assert (wrong.status_code, wrong.json()["code"]) == (460, "CHECKSUM_MISMATCH")
            assert await offset_of(at, place) == 0
            right = await send(at, place, 0, b"12345", **{"Upload-Checksum": f"{algorithm} {digest}"})
            assert right.status_code == 204
            assert await offset_of(at, place) == 5
            nonsense = await send(at, place, 5, b"x", **{"Upload-Checksum": "crc32 AAAA"})
            assert nonsense.status_code == 400

    run(go())


def test_two_requests_cannot_send_to_one_upload_at_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            taken, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield b"12345"
                taken.set()
                await go_on.wait()
                yield b"67890"

            first = asyncio.create_task(send(at, place, 0, slow()))
            await taken.wait()
            second = await send(at, place, 0, b"other")
            assert (second.status_code, second.json()["code"]) == (423, "UPLOAD_BUSY")
            assert (await at.api.delete(place, headers=VERSION)).status_code == 423
            go_on.set()
            assert (await first).status_code == 204
            record = (await at.api.get("/api/v1/files")).json()["data"][0]
            assert record["cid"] == str(CID.of(b"1234567890"))

    run(go())


def test_more_bytes_than_announced_are_413(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, max_resumable_upload_bytes=100) as at:
            place = await begin(at, 10)
            assert (await send(at, place, 0, b"x" * 11)).status_code == 413
            assert await offset_of(at, place) == 0
            refused = await at.api.post(TUS, headers={**VERSION, "Upload-Length": "101"})
            assert refused.status_code == 413
            options = await at.api.options(TUS)
            assert (options.status_code, options.headers["tus-max-size"]) == (204, "100")
            assert "termination" in options.headers["tus-extension"]

    run(go())


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Upload-Length": "1"}, 412),
        ("POST", {"Tus-Resumable": "0.2.2", "Upload-Length": "1"}, 412),
        ("POST", VERSION, 400),
        ("POST", {**VERSION, "Upload-Length": "-1"}, 400),
        ("POST", {**VERSION, "Upload-Length": "9" * 30}, 400),
        ("POST", {**VERSION, "Upload-Defer-Length": "2"}, 400),
        ("POST", {**VERSION, "Upload-Defer-Length": "1", "Upload-Length": "5"}, 400),
        ("POST", {**VERSION, "Upload-Length": "5", "Upload-Concat": "whole"}, 400),
        ("POST", {**VERSION, "Upload-Concat": "final;"}, 400),
        ("POST", {**VERSION, "Upload-Concat": "final;/elsewhere/a"}, 400),
        ("POST", {**VERSION, "Upload-Concat": "final;/api/v1/files/tus/a /api/v1/files/tus/b"}, 404),
        ("POST", {**VERSION, "Upload-Length": "5", "Upload-Concat": "final;/api/v1/files/tus/a"}, 400),
        ("POST", {**VERSION, "Upload-Length": "1", "Upload-Metadata": "filename /w=="}, 400),
        ("POST", {**VERSION, "Upload-Length": "1", "Upload-Metadata": "note ???"}, 400),
        ("POST", {**VERSION, "Upload-Length": "5", "Upload-Metadata": metadata(filename="..")}, 400),
        ("POST", {**VERSION, "Upload-Length": "5", "Upload-Metadata": metadata(name=" . ")}, 400),
        ("POST", {**VERSION, "Upload-Length": "1", "Upload-Metadata": "filename ???"}, 400),
        ("POST", {**VERSION, "Upload-Length": "1", "Upload-Metadata": "a eA==,a eA=="}, 400),
        ("POST", {**VERSION, "Upload-Length": "1", "Upload-Metadata": metadata(filename="../x")}, 400),
        ("POST", {**VERSION, "Upload-Length": "1", "Upload-Metadata": metadata(replication_factor_min="7")}, 409),
        ("POST", {**VERSION, "Upload-Length": "1", "Upload-Metadata": metadata(tier="gold")}, 400),
    ],
)
def test_a_creation_that_cannot_be_is_refused_and_leaves_nothing(
    tmp_path: Path, method: str, headers: dict[str, str], status: int
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await at.api.request(method, TUS, headers=headers)
            assert response.status_code == status, response.text
            assert response.headers["tus-resumable"] == "1.0.0"
            assert status != 412 or response.headers["tus-version"] == "1.0.0"
            assert not (tmp_path / "uploads").exists() or bytes_on_disk(tmp_path) == []

    run(go())


def test_what_is_no_bytes_is_415_and_no_version_412(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            typed = {**VERSION, "Upload-Offset": "0", "Content-Type": "text/plain"}
            assert (await at.api.patch(place, content=b"x", headers=typed)).status_code == 415
            bare = {"Upload-Offset": "0", "Content-Type": BYTES["Content-Type"]}
            assert (await at.api.patch(place, content=b"x", headers=bare)).status_code == 412

    run(go())


def test_a_stranger_is_refused_before_the_version_is_looked_at(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            stranger = await at.client(None)
            assert (await stranger.post(TUS, headers={"Upload-Length": "1"})).status_code == 401
            for method in ("HEAD", "PATCH", "DELETE", "POST"):
                assert (await stranger.request(method, f"{TUS}/0")).status_code == 401

    run(go())


def test_a_removed_upload_is_gone_with_its_bytes(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            await send(at, place, 0, b"12345")
            assert (await at.api.delete(place, headers=VERSION)).status_code == 204
            assert bytes_on_disk(tmp_path) == []
            assert (await at.api.head(place, headers=VERSION)).status_code == 404
            assert (await send(at, place, 5, b"x")).status_code == 404

    run(go())


def test_another_organisation_cannot_see_or_touch_an_upload(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 10)
            other = await at.tenant("other")
            assert (await other.head(place, headers=VERSION)).status_code == 404
            assert (await other.get(place)).status_code == 404
            sent = await other.patch(place, content=b"x", headers={**BYTES, "Upload-Offset": "0"})
            assert sent.status_code == 404
            assert (await other.delete(place, headers=VERSION)).status_code == 404
            assert await offset_of(at, place) == 0

    run(go())


def test_a_client_that_can_only_post_overrides_the_method(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = await begin(at, 3)
            override = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
            response = await at.api.post(place, content=b"abc", headers=override)
            assert response.headers["pinfold-file-id"]

    run(go())
