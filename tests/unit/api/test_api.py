from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pinfold.core.cid import CID
from pinfold.node import Node
from tests.support.platform import Platform, platform, run

BOUNDARY = "b0undary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
UPLOAD = "/api/v1/files/upload"
MISSING = str(CID.of(b"nobody has this"))


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body["success"] is False
    assert body["code"] == code
    assert body["error"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def part(data: bytes, name: str = "a.txt", field: str = "file") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def post(at: Platform, body: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
    return await at.api.post(UPLOAD, content=body, headers={**FORM, **headers})


async def nothing_is_kept(at: Platform, data_dir: Path) -> None:
    assert (await at.api.get("/api/v1/files")).json()["data"] == []
    async with asyncio.timeout(5):
        while await asyncio.to_thread(pins_of, data_dir):
            await asyncio.sleep(0.01)


def pins_of(data_dir: Path) -> list[str]:
    with Node(data_dir) as node:
        return [str(pin.cid) for pin in node.pin_ls() if pin.mode == "recursive"]


def test_an_upload_is_queued_then_pinned_then_read_from_the_gateway(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            record = await at.upload(b"hello world", "hello.txt")
            assert record["pinStatus"] == "queued"
            assert record["cid"] == record["hash"] == str(CID.of(b"hello world"))
            assert (record["name"], record["size"], record["content_type"]) == ("hello.txt", 11, "text/plain")
            report = await at.until(record["cid"], "pinned")
            assert report["status"] == "healthy"
            assert (report["total_replicas"], report["healthy_replicas"], report["failed_replicas"]) == (1, 1, 0)
            (node,) = report["nodes"]
            assert node["status"] == "pinned"
            assert node["claimed"]
            assert report["next_attempt_at"] is None
            assert record.pop("duplicate") == "new"
            again = await at.api.get(f"/api/v1/files/{record['id']}")
            assert again.json() == {"success": True, "data": {**record, "pinStatus": "pinned"}}
            assert (await at.gateway.get(f"/ipfs/{record['cid']}")).content == b"hello world"

    run(go())


def test_a_request_becomes_pinned_in_less_than_a_second(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            record = await at.upload(b"quick")
            async with asyncio.timeout(1):
                await at.until(record["cid"], "pinned")

    run(go())


def test_several_files_of_one_form_are_all_kept(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await post(at, part(b"one", "1") + part(b"", "2") + part(b"three" * 100_000, "3") + END)
            names = [record["name"] for record in response.json()["data"]]
            assert names == ["1", "2", "3"]
            page = (await at.api.get("/api/v1/files")).json()
            assert sorted(record["size"] for record in page["data"]) == [0, 3, 500_000]

    run(go())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (END, {}),
        (part(b"x"), {}),
        (part(b"x") + b"--b0undary", {}),
        (part(b"x" * 300_000), {}),
        (part(b"x") + part(b"y" * 200_000)[:-100], {}),
        (part(b"x") + b"--b0undary\r\nrubbish\r\n\r\n" + END, {}),
        (part(b"x") + part(b"y", field="other") + END, {}),
        (part(b"x") + END, {"Content-Type": "application/json"}),
        (part(b"x") + END, {"Content-Type": "multipart/form-data"}),
    ],
)
def test_a_malformed_form_is_400_and_leaves_nothing(tmp_path: Path, body: bytes, headers: dict[str, str]) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            problem(await post(at, body, **headers), 400, "INVALID_INPUT")
            await nothing_is_kept(at, tmp_path)

    run(go())


def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            messages = [
                {"type": "http.request", "body": part(b"whole"), "more_body": True},
                {"type": "http.request", "body": part(b"x" * 300_000)[:-1000], "more_body": True},
                {"type": "http.disconnect"},
            ]

            async def receive() -> Any:
                return messages.pop(0)

            async def send(message: Any) -> None:
                pass

            headers = {**FORM, "Authorization": f"Bearer {at.token}"}
            scope = {
                "type": "http",
                "method": "POST",
                "path": UPLOAD,
                "raw_path": UPLOAD.encode(),
                "query_string": b"",
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            }
            await at.api_app(scope, receive, send)
            await nothing_is_kept(at, tmp_path)

    run(go())


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_a_file_of_exactly_the_limit_passes(tmp_path: Path, size: int) -> None:
    async def go() -> None:
        async with platform(tmp_path, max_upload_bytes=1000) as at:
            assert (await at.upload(b"x" * size))["size"] == size

    run(go())


def test_a_file_over_the_limit_is_413_and_leaves_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, max_upload_bytes=1000) as at:
            refused = await post(at, part(b"ok") + part(b"x" * 1001) + END)
            problem(refused, 413, "PAYLOAD_TOO_LARGE")
            assert "/files/tus" in refused.json()["hint"]
            assert "pinfold push" in refused.json()["hint"]
            await nothing_is_kept(at, tmp_path)

    run(go())


def test_a_request_whose_length_is_known_to_be_too_much_is_refused_unread(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, max_upload_bytes=1000) as at:

            async def body() -> AsyncIterator[bytes]:
                raise AssertionError("the body was read")
                yield b""

            response = await post(at, body(), **{"Content-Length": str(10 << 20)})
            problem(response, 413, "PAYLOAD_TOO_LARGE")
            assert "/files/tus" in response.json()["hint"]

    run(go())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer pf_wrong"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic abc"},
        {"Authorization": "Bearer pf_" + "x" * 5000},
    ],
)
def test_without_the_token_everything_is_401(tmp_path: Path, headers: dict[str, str]) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            del at.api.headers["Authorization"]
            some = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
            for method, path in [
                ("POST", UPLOAD),
                ("GET", "/api/v1/files"),
                ("GET", f"/api/v1/files/{some}"),
                ("DELETE", f"/api/v1/files/{some}"),
                ("POST", f"/api/v1/pins/{MISSING}"),
                ("GET", f"/api/v1/pins/{MISSING}/status"),
            ]:
                response = await at.api.request(method, path, headers=headers)
                problem(response, 401, "UNAUTHORISED")
                assert response.headers["www-authenticate"] == "Bearer"

    run(go())


def test_lists_are_paged(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            for number in range(5):
                await at.upload(b"x" * number, f"{number}")
            body = (await at.api.get("/api/v1/files", params={"page": 2, "limit": 2})).json()
            cursor = body["pagination"].pop("next_cursor")
            assert body["pagination"] == {"page": 2, "limit": 2, "total": 5, "total_is_exact": True, "pages": 3}
            last = (await at.api.get("/api/v1/files", params={"cursor": cursor, "limit": 2})).json()
            assert [record["name"] for record in last["data"]] == ["0"]
            assert (last["pagination"]["page"], last["pagination"]["next_cursor"]) == (None, None)
            assert [record["name"] for record in body["data"]] == ["2", "1"]
            assert (await at.api.get("/api/v1/files", params={"page": 9})).json()["data"] == []

    run(go())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/files?page=0", 422, "INVALID_PARAMETER"),
        ("/api/v1/files?limit=101", 422, "INVALID_PARAMETER"),
        ("/api/v1/files?page=x", 422, "INVALID_PARAMETER"),
        ("/api/v1/files?page=99999999999999999999", 422, "INVALID_PARAMETER"),
        ("/api/v1/files/nonsense", 404, "FILE_NOT_FOUND"),
        ("/api/v1/files/%00", 422, "INVALID_PARAMETER"),
        ("/api/v1/files?search=%00", 422, "INVALID_PARAMETER"),
        ("/api/v1/files?cursor=nonsense", 400, "INVALID_INPUT"),
        ("/api/v1/files/0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11", 404, "FILE_NOT_FOUND"),
        ("/api/v1/pins/nonsense/status", 400, "INVALID_CID"),
        (f"/api/v1/pins/{MISSING}/status", 404, "PIN_NOT_FOUND"),
        ("/nothing", 404, "NOT_FOUND"),
    ],
)
def test_what_cannot_be_answered_is_said_in_the_envelope(tmp_path: Path, path: str, status: int, code: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            problem(await at.api.get(path), status, code)

    run(go())


def test_deleting_a_file_unpins_what_nobody_else_needs(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            other = await at.tenant("other")
            first = await at.upload(b"same", "1")
            second = (await other.post(UPLOAD, files={"file": ("2", b"same")})).json()["data"]
            assert (first["duplicate"], second["duplicate"]) == ("new", "new")
            await at.until(first["cid"], "pinned")
            response = await at.api.delete(f"/api/v1/files/{first['id']}")
            assert response.json() == {"success": True, "data": {"id": first["id"], "ids": [first["id"]]}}
            seen = await at.upload(b"a later job has run when this one is pinned")
            await at.until(seen["cid"], "pinned")
            assert sorted(pins_of(tmp_path)) == sorted([first["cid"], seen["cid"]])
            problem(await at.api.delete(f"/api/v1/files/{first['id']}"), 404, "FILE_NOT_FOUND")
            await at.api.delete(f"/api/v1/files/{seen['cid']}")
            assert (await other.delete(f"/api/v1/files/{second['cid']}")).json()["data"]["ids"] == [second["id"]]
            await nothing_is_kept(at, tmp_path)

    run(go())


def test_a_pin_request_keeps_what_a_deleted_file_had(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            record = await at.upload(b"wanted twice")
            wish = await at.api.post(f"/api/v1/pins/{record['cid']}", json={"name": "mine"})
            assert wish.status_code == 202
            assert wish.json()["data"]["name"] == "mine"
            await at.api.delete(f"/api/v1/files/{record['id']}")
            report = await at.until(record["cid"], "pinned")
            assert [one["name"] for one in report["requests"]] == ["mine"]
            with Node(tmp_path) as node:
                assert node.gc().blocks == 0

    run(go())


def test_what_was_pinned_by_hand_stays_pinned_when_its_file_is_deleted(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            with Node(tmp_path) as node:
                cid = node.add_bytes(b"by hand")
                record = await at.upload(b"by hand")
                await at.until(record["cid"], "pinned")
                await at.api.delete(f"/api/v1/files/{record['id']}")
                other = await at.upload(b"a later job has run when this one is pinned")
                await at.until(other["cid"], "pinned")
                assert str(cid) in pins_of(tmp_path)

    run(go())


def test_a_pin_of_what_is_not_here_fails_with_a_sentence_and_heals_when_it_comes(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            wish = await at.api.post(f"/api/v1/pins/{MISSING}")
            assert (wish.status_code, wish.json()["data"]["pinStatus"]) == (202, "queued")
            report = await at.until(MISSING, "failed")
            assert report["status"] == "unhealthy"
            assert MISSING in report["error"]
            assert report["next_attempt_at"]
            assert report["attempts"] >= 1
            await at.upload(b"nobody has this")
            assert (await at.until(MISSING, "pinned"))["error"] is None

    run(go())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": 3}, 422, "INVALID_PARAMETER"),
        ({"name": "x" * 256}, 422, "INVALID_PARAMETER"),
        ({"replicas": 3}, 422, "INVALID_PARAMETER"),
        ({"name": "x" * 100_000}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_a_wish_that_cannot_be_read_is_refused(tmp_path: Path, body: object, status: int, code: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            problem(await at.api.post(f"/api/v1/pins/{MISSING}", json=body), status, code)

            async def chunked() -> AsyncIterator[bytes]:
                yield json.dumps(body).encode()

            headers = {"Content-Type": "application/json"}
            response = await at.api.post(f"/api/v1/pins/{MISSING}", content=chunked(), headers=headers)
            problem(response, status, code if status != 413 else "PAYLOAD_TOO_LARGE")

    run(go())


def test_both_versions_of_a_cid_are_one_pin(tmp_path: Path) -> None:
    async def go() -> None:
        with Node(tmp_path) as node:
            v1 = node.dag_put({"Links": [], "Data": b"x"}, store_codec=0x70)
        async with platform(tmp_path) as at:
            await at.api.post(f"/api/v1/pins/{v1.to_v0()}")
            report = await at.until(str(v1), "pinned")
            assert report["requests"][0]["cid"] == str(v1.to_v0())

    run(go())


def test_request_ids_are_taken_over_where_they_are_harmless(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            given = await at.api.get("/ping", headers={"X-Request-Id": "abc-1"})
            assert given.headers["x-request-id"] == "abc-1"
            made = await at.api.get("/ping", headers={"X-Request-Id": "a b\tc"})
            assert re.fullmatch(r"[0-9a-f]{16}", made.headers["x-request-id"])

    run(go())


def test_headers_beyond_reason_are_refused(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            problem(await at.api.get("/ping", headers={"X-Much": "x" * 40_000}), 431, "HEADERS_TOO_LARGE")

    run(go())


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/projects", {"GET", "HEAD", "POST"}),
        ("OPTIONS", f"/api/v1/files/{MISSING}", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("GET", "/api/v1/files/missing", {"POST"}),
        ("PUT", "/api/v1/files/stats", {"GET", "HEAD"}),
        ("DELETE", "/ping", {"GET", "HEAD"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
        ("OPTIONS", "/psa/pins", {"GET", "HEAD", "POST"}),
        ("BREW", "/psa/pins/1", {"GET", "HEAD", "POST", "DELETE"}),
    ],
)
def test_a_method_that_is_not_possible_is_answered_with_all_that_are(
    tmp_path: Path, method: str, path: str, allowed: set[str]
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await at.api.request(method, path)
            assert response.status_code == 405
            assert set(response.headers["allow"].split(", ")) == allowed

    run(go())


def test_ping_and_health_need_no_token(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            del at.api.headers["Authorization"]
            assert (await at.api.get("/ping")).json() == {"success": True, "data": {"ping": "pong"}}
            health = (await at.api.get("/health", headers={"Host": "localhost"})).json()["data"]
            assert health["checks"] == {"database": "ok", "engine": "ok", "worker": "ok", "counts": "ok"}
            docs = await at.api.get("/docs")
            assert docs.status_code == 200
            assert "script" not in docs.headers["content-security-policy"]
            assert (await at.api.get("/openapi.json")).json()["openapi"].startswith("3.")

    run(go())


def test_a_restart_lets_go_of_what_a_killed_upload_left(tmp_path: Path) -> None:
    from pinfold.core.pin import PLATFORM_PIN_NAME
    from pinfold.node.model import AddOptions

    async def go() -> None:
        async with platform(tmp_path) as at:
            record = await at.upload(b"acknowledged")
            token = at.token
        with Node(tmp_path) as node:
            node.add_bytes(b"never acknowledged", AddOptions(pin_name=PLATFORM_PIN_NAME))
            by_hand = node.add_bytes(b"by hand")
            assert len(pins_of(tmp_path)) == 3
        async with platform(tmp_path, token=token) as at:
            async with asyncio.timeout(5):
                while len(await asyncio.to_thread(pins_of, tmp_path)) > 2:
                    await asyncio.sleep(0.01)
            assert sorted(pins_of(tmp_path)) == sorted([str(by_hand), record["cid"]])

    run(go())


def test_a_restart_pins_again_what_was_unpinned_meanwhile(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            record = await at.upload(b"keep me")
            await at.until(record["cid"], "pinned")
            token = at.token
        with Node(tmp_path) as node:
            node.pin_rm(record["cid"])
        async with platform(tmp_path, token=token):
            async with asyncio.timeout(5):
                while record["cid"] not in await asyncio.to_thread(pins_of, tmp_path):
                    await asyncio.sleep(0.01)

    run(go())


def test_a_bug_is_500_in_the_envelope_and_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pinfold.services.files import FilesService

    async def broken(self: FilesService, page: int, limit: int) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(FilesService, "page", broken)

    async def go() -> None:
        async with platform(tmp_path) as at:
            body = problem(await at.api.get("/api/v1/files"), 500, "INTERNAL")
            assert "secret" not in json.dumps(body)

    run(go())
