"""One content under several names: each is a file of its own, and the bytes are stored and counted once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pinfold.core.cid import CID
from pinfold.node import Node
from tests.support.cars import RawBlock, car_v1
from tests.support.platform import Platform, platform, run
from tests.unit.api.test_files import FILES, UPLOAD, limit_quota, names, nothing_is_pinned, totals

SAME = b"identical bytes"
CONTENT = CID.of(SAME)


async def put(api: httpx.AsyncClient, name: str, **query: Any) -> dict[str, Any]:
    response = await api.put(f"{FILES}/{name}", content=SAME, params=query)
    assert response.status_code in (200, 201), response.text
    record: dict[str, Any] = response.json()["data"]
    assert (response.status_code == 200) == (record["duplicate"] == "updated")
    return record


async def by_form(api: httpx.AsyncClient, name: str) -> dict[str, Any]:
    response = await api.post(UPLOAD, files={"file": (name, SAME)})
    record: dict[str, Any] = response.json()["data"]
    return record


async def by_car(api: httpx.AsyncClient, name: str) -> dict[str, Any]:
    car = car_v1([RawBlock(CONTENT.bytes, SAME)], [CONTENT.bytes])
    response = await api.post(f"{FILES}/car", content=car, params={"name": name} if name else {})
    record: dict[str, Any] = response.json()["data"]
    return record


async def by_tus(api: httpx.AsyncClient, name: str) -> dict[str, Any]:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}" if name else ""
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(SAME)),
        "Upload-Metadata": metadata,
        "Content-Type": "application/offset+octet-stream",
    }
    made = await api.post(f"{FILES}/tus", content=SAME, headers=headers)
    assert made.status_code == 201, made.text
    record: dict[str, Any] = (await api.get(f"{FILES}/{made.headers['pinfold-file-id']}")).json()["data"]
    return record


@pytest.mark.parametrize("send", [put, by_form, by_car, by_tus])
def test_a_second_name_is_found_beside_the_first(
    tmp_path: Path, database_url: str, send: Callable[[httpx.AsyncClient, str], Awaitable[dict[str, Any]]]
) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            first, second = await send(at.api, "first.txt"), await send(at.api, "second.txt")
            assert (first["name"], second["name"]) == ("first.txt", "second.txt")
            assert first["id"] != second["id"]
            assert await names(at.api, search="first") == ["first.txt"]
            assert await names(at.api, search="second") == ["second.txt"]
            assert (await send(at.api, "first.txt"))["id"] == first["id"]
            assert (totals(at).files, totals(at).logical_bytes) == (2, len(SAME))
            with Node(tmp_path) as node:
                assert node.repo_stat().blocks == 1

    run(go())


@pytest.mark.parametrize("send", [by_car, by_tus])
def test_an_upload_without_a_name_is_the_file_that_has_the_content(
    tmp_path: Path, send: Callable[[httpx.AsyncClient, str], Awaitable[dict[str, Any]]]
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            named = await put(at.api, "first.txt")
            assert (await send(at.api, ""))["id"] == named["id"]
            assert await names(at.api) == ["first.txt"]

    run(go())


def test_folders_of_one_content_keep_their_names(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            made = [
                (await at.api.post(UPLOAD, files={"file": (f"{site}/i.html", b"<p>")})).json()["data"]
                for site in ("siteA", "siteB")
            ]
            assert made[0]["cid"] == made[1]["cid"]
            assert sorted(await names(at.api)) == ["siteA", "siteB"]
            assert (totals(at).files, totals(at).logical_bytes) == (2, 57)  # three bytes, and the node of the folder

    run(go())


def test_many_names_at_once_make_one_file_each(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            wanted = [f"{number % 4}" for number in range(16)]
            made = await asyncio.gather(*(put(at.api, name) for name in wanted))
            assert [one["name"] for one in made] == wanted
            outcomes = sorted(one["duplicate"] for one in made)
            assert outcomes == ["new"] * 4 + ["updated"] * 12
            assert sorted(await names(at.api)) == ["0", "1", "2", "3"]
            assert (totals(at).files, totals(at).logical_bytes) == (4, len(SAME))

    run(go())


def test_deleting_one_name_keeps_the_content_and_its_count_until_the_last_goes(
    tmp_path: Path, database_url: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            made = [await put(at.api, name) for name in ("a", "b", "c")]
            await at.until(str(CONTENT), "pinned")
            assert (await at.api.delete(f"{FILES}/{made[0]['id']}")).json()["data"]["ids"] == [made[0]["id"]]
            assert (totals(at).files, totals(at).logical_bytes) == (2, len(SAME))
            await at.until((await at.upload(b"of a later job"))["cid"], "pinned")
            assert (await at.gateway.get(f"/ipfs/{CONTENT}")).content == SAME
            assert (await at.pin_status(str(CONTENT)))["pinStatus"] == "pinned"
            both = [made[1]["id"], made[2]["id"]]
            gone = await at.api.post(f"{FILES}/batch/delete", json={"ids": both})
            assert gone.json()["data"]["done"] == 2
            assert totals(at).logical_bytes == len(b"of a later job")
            await at.api.delete(f"{FILES}/{(await at.api.get(FILES)).json()['data'][0]['id']}")
            await nothing_is_pinned(tmp_path)
            assert (totals(at).files, totals(at).logical_bytes) == (0, 0)

    run(go())


def test_a_cid_names_the_newest_to_look_at_and_all_to_delete(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            first, second = await put(at.api, "first"), await put(at.api, "second")
            assert (await at.api.get(f"{FILES}/{CONTENT}")).json()["data"]["id"] == second["id"]
            edited = await at.api.patch(f"{FILES}/{CONTENT}", json={"tags": ["x"]})
            assert edited.json()["data"]["id"] == second["id"]
            gone = (await at.api.delete(f"{FILES}/{CONTENT}")).json()["data"]
            assert gone == {"id": second["id"], "ids": [second["id"], first["id"]]}
            assert (totals(at).files, totals(at).logical_bytes) == (0, 0)

    run(go())


def test_what_would_be_freed_counts_the_content_with_its_last_name(tmp_path: Path, database_url: str) -> None:
    async def would_free(at: Platform, **what: Any) -> int:
        response = await at.api.post("/api/v1/usage/would-free", json=what)
        logical_bytes: int = response.json()["data"]["logical_bytes"]
        return logical_bytes

    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            made = [(await put(at.api, name))["id"] for name in ("a", "b")]
            assert await would_free(at, files=made[:1]) == 0
            assert await would_free(at, files=made) == len(SAME)
            assert await would_free(at, cids=[str(CONTENT)]) == len(SAME)
            assert await would_free(at, files=made[:1], cids=[str(CONTENT)]) == len(SAME)

    run(go())


def test_a_second_name_needs_room_for_a_file_and_none_for_bytes(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            small = await at.tenant("small")
            limit_quota(at, "small", quota_bytes=2 * len(SAME), quota_files=3)  # an upload reserves its bytes meanwhile
            for name in ("a", "b", "c"):
                await put(small, name)
            assert totals(at, "small").logical_bytes == len(SAME)
            refused = await small.put(f"{FILES}/d", content=SAME)
            assert (refused.status_code, refused.json()["code"]) == (403, "QUOTA_EXCEEDED")

    run(go())


def test_an_upload_to_a_project_takes_no_file_out_of_another(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            made = [
                (await at.api.post("/api/v1/projects", json={"name": name})).json()["data"]["id"]
                for name in ("one", "two")
            ]
            first = await put(at.api, "plan", project_id=made[0])
            second = await put(at.api, "plan", project_id=made[1])
            assert (first["project_id"], second["project_id"], second["duplicate"]) == (*made, "new")
            assert (await put(at.api, "plan", project_id=made[0]))["id"] == first["id"]
            assert (await put(at.api, "plan"))["duplicate"] == "updated"
            loose = await put(at.api, "loose")
            joined = await put(at.api, "loose", project_id=made[1])
            assert (joined["id"], joined["project_id"]) == (loose["id"], made[1])

    run(go())


def test_what_is_read_under_several_names_is_popular_once(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            for name in ("a", "b"):
                await put(at.api, name)
            await at.until(str(CONTENT), "pinned")
            for _ in range(3):
                await at.gateway.get(f"/ipfs/{CONTENT}")
            async with asyncio.timeout(10):
                found: list[dict[str, Any]] = []  # what is served is written down every few seconds
                while not found or found[0]["requests"] < 3:
                    await asyncio.sleep(0.05)
                    found = (await at.api.get(f"{FILES}/popular")).json()["data"]
            assert [(one["file"]["name"], one["requests"], one["egress"]) for one in found] == [("b", 3, 3 * len(SAME))]

    run(go())
