from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.db.models import OrganisationRow, RootTrafficRow, TotalsRow
from pinfold.node import Node
from pinfold.node.model import AddOptions
from pinfold.services.accounts import Caller
from pinfold.services.files import FilesService
from tests.support.cars import RawBlock, car_v1
from tests.support.platform import Platform, platform, run

UPLOAD = "/api/v1/files/upload"
FILES = "/api/v1/files"
CAR = "/api/v1/files/car"


async def upload(client: httpx.AsyncClient, *files: tuple[str, bytes], **fields: Any) -> httpx.Response:
    return await client.post(UPLOAD, files=[("file", one) for one in files], data=fields)


async def names(client: httpx.AsyncClient, **query: Any) -> list[str]:
    response = await client.get(FILES, params=query)
    assert response.status_code == 200, response.text
    return [record["name"] for record in response.json()["data"]]


def totals(at: Platform, slug: str = "default") -> TotalsRow:
    def read(session: Session) -> TotalsRow:
        organisation = session.query(OrganisationRow).filter_by(slug=slug).one()
        return session.get_one(TotalsRow, organisation.id)

    return at.database.everybody.read_now(read)


def limit_quota(at: Platform, slug: str, **quotas: int) -> None:
    def write(session: Session) -> None:
        session.execute(update(OrganisationRow).where(OrganisationRow.slug == slug).values(**quotas))

    at.database.everybody.write_now(write)


async def nothing_is_pinned(data_dir: Path) -> None:
    async with asyncio.timeout(10):
        while await asyncio.to_thread(_pins, data_dir):
            await asyncio.sleep(0.01)


def _pins(data_dir: Path) -> list[str]:
    with Node(data_dir) as node:
        return [str(pin.cid) for pin in node.pin_ls() if pin.mode == "recursive"]


# -- uploads ---------------------------------------------------------------------------------------------------------


def test_fields_of_a_form_become_the_record(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            response = await upload(
                at.api,
                ("a.txt", b"hello"),
                name="b.txt",
                tags=["one, two", '["three"]'],
                metadata='{"camera": "X100"}',
                tier="ephemeral",
                replication_factor_max="3",
            )
            assert response.status_code == 201, response.text
            record = response.json()["data"]
            assert (record["name"], record["tags"]) == ("b.txt", ["one", "two", "three"])
            assert (record["metadata"], record["tier"]) == ({"camera": "X100"}, "ephemeral")
            assert (record["replication_factor_min"], record["replication_factor_max"]) == (1, 3)
            assert (record["duplicate"], record["profile"]) == ("new", "unixfs-v1-2025")
            assert record["hash"] == record["cid"] == str(CID.of(b"hello"))

    run(go())


def test_files_with_slashes_in_their_names_are_one_folder(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await upload(
                at.api, ("site/index.html", b"<p>"), ("site/img/a.png", b"png" * 500_000), ("site/img/b", b"")
            )
            assert response.status_code == 201, response.text
            record = response.json()["data"]
            assert (record["name"], record["is_folder"], record["size"]) == ("site", True, 1_500_003)
            assert record["content_type"] == "inode/directory"
            with Node(tmp_path) as node:
                folder = tmp_path / "real" / "site"
                (folder / "img").mkdir(parents=True)
                (folder / "index.html").write_bytes(b"<p>")
                (folder / "img" / "a.png").write_bytes(b"png" * 500_000)
                (folder / "img" / "b").write_bytes(b"")
                *_, root = node.add([folder], AddOptions(only_hash=True))
                assert str(root.cid) == record["cid"]
            await at.until(record["cid"], "pinned")
            got = await at.gateway.get(f"/ipfs/{record['cid']}/img/a.png")
            assert got.content == b"png" * 500_000

    run(go())


@pytest.mark.parametrize(
    "paths",
    [
        ["a/../b"],
        ["/etc/passwd"],
        ["a//b"],
        ["a/"],
        ["a/./b"],
        ["a/b", "a/b"],
        ["a/b", "a/b/c"],
        ["a/b/c", "a/b"],
        ["a/b", "c/d"],
        ["a/b", "c"],
        ["c", "a/b"],
        ["a/" + "b" * 256],
        ["a/" * 70 + "b"],
    ],
)
def test_paths_that_make_no_folder_are_400_and_leave_nothing(tmp_path: Path, paths: list[str]) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await upload(at.api, *((path, b"x" * 70_000) for path in paths))
            assert response.status_code == 400, response.text
            assert await names(at.api) == []
            await nothing_is_pinned(tmp_path)

    run(go())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"metadata": "nonsense"}, 400),
        ({"metadata": '{"a": 1}'}, 400),
        ({"metadata": "[" * 50_000}, 400),
        ({"tags": "x" * 65}, 400),
        ({"tags": [f"t{number}" for number in range(51)]}, 400),
        ({"tier": "gold"}, 400),
        ({"profile": "unixfs-v9"}, 400),
        ({"replication_factor_min": "0"}, 400),
        ({"replication_factor_min": "x"}, 400),
        ({"replication_factor_min": "3", "replication_factor_max": "2"}, 400),
        ({"project_id": "nonsense"}, 400),
        ({"project_id": "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"}, 404),
        ({"name": "a/b"}, 400),
        ({"tag": "x"}, 400),
        ({"Tags": "x"}, 400),
        ({"projectid": "x"}, 400),
        ({"meta": "{}"}, 400),
        ({"replication_min": "1"}, 400),
        ({"dztotalchunkcount": "2"}, 400),
        ({"chunks": "3"}, 400),
        ({"replication_factor_min": "2"}, 409),
        ({"tier": "critical"}, 409),
    ],
)
def test_fields_that_cannot_be_granted_are_refused_and_leave_nothing(
    tmp_path: Path, fields: dict[str, Any], status: int
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            response = await upload(at.api, ("a.txt", b"hello"), **fields)
            assert response.status_code == status, response.text
            if status == 409:
                assert "1 node" in response.json()["error"]
            assert await names(at.api) == []
            assert totals(at).reserved_files == 0
            await nothing_is_pinned(tmp_path)

    run(go())


def test_fields_may_follow_the_files_but_for_the_profile(tmp_path: Path) -> None:
    def form(field: str, value: str) -> bytes:
        return (
            b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello\r\n'
            + f'--B\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n--B--\r\n'.encode()
        )

    async def go() -> None:
        async with platform(tmp_path) as at:
            headers = {"Content-Type": "multipart/form-data; boundary=B"}
            response = await at.api.post(UPLOAD, content=form("tags", "late"), headers=headers)
            assert response.json()["data"]["tags"] == ["late"]
            refused = await at.api.post(UPLOAD, content=form("profile", "unixfs-v0-2015"), headers=headers)
            assert refused.status_code == 400

    run(go())


def test_a_profile_gives_its_cids(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            record = (await upload(at.api, ("a", b"hello world"), profile="unixfs-v0-2015")).json()["data"]
            assert record["cid"] == "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"
            by_v1 = await at.api.get(f"{FILES}/{CID.parse(record['cid']).to_v1()}")
            assert by_v1.json()["data"]["id"] == record["id"]

    run(go())


def test_a_raw_body_is_one_file(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, max_upload_bytes=1000) as at:
            response = await at.api.put(
                f"{FILES}/a%20b.txt", content=b"x" * 1000, params={"tags": "a,b", "metadata": '{"k": "v"}'}
            )
            assert response.status_code == 201, response.text
            record = response.json()["data"]
            assert (record["name"], record["size"], record["content_type"]) == ("a b.txt", 1000, "text/plain")
            assert (record["tags"], record["metadata"]) == (["a", "b"], {"k": "v"})

            async def unread() -> AsyncIterator[bytes]:
                raise AssertionError("the body was read")
                yield b""

            refused = await at.api.put(f"{FILES}/a", content=unread(), headers={"Content-Length": "1001"})
            assert (refused.status_code, refused.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
            assert "/files/tus" in refused.json()["hint"]

            async def long() -> AsyncIterator[bytes]:
                for _ in range(11):
                    yield b"y" * 100

            assert (await at.api.put(f"{FILES}/a", content=long())).status_code == 413
            assert (await at.api.put(f"{FILES}/{'x' * 256}", content=b"")).status_code == 422
            assert await names(at.api) == ["a b.txt"]

    run(go())


def test_a_part_of_a_file_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            part = {"Content-Range": "bytes 4-9/10"}
            tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "6"}
            answers = [
                await at.api.put(f"{FILES}/resume.bin", content=b"efghij", headers=part),
                await at.api.post(UPLOAD, files={"file": ("resume.bin", b"efghij")}, headers=part),
                await at.api.post(CAR, content=b"efghij", headers=part),
                await at.api.post(f"{FILES}/tus", headers={**tus, **part}),
            ]
            for answer in answers:
                assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_INPUT"), answer.text
                assert "/files/tus" in answer.json()["hint"]
            assert await names(at.api) == []
            assert (totals(at).reserved_bytes, totals(at).reserved_files) == (0, 0)
            with Node(tmp_path) as node:
                assert node.repo_stat().blocks == 0

    run(go())


def test_names_that_could_not_be_kept_as_they_were_sent_are_400_and_leave_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\0b"\r\n\r\n1\r\n--x--\r\n'
            its_type = {"Content-Type": "multipart/form-data; boundary=x"}
            answers = [
                await at.api.post(f"{FILES}/upload", content=form, headers=its_type),
                await at.api.put(f"{FILES}/a%ff", content=b"x"),
                await at.api.put(f"{FILES}/a%ed%a0%80", content=b"x"),
                await at.api.put(f"{FILES}/a?tags=b%ff", content=b"x"),
                await at.api.put(f"{FILES}/a%00", content=b"x"),
            ]
            for answer in answers:
                assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_INPUT"), answer.text
            kept = await at.api.put(f"{FILES}/a%EF%BF%BD%25ff", content=b"x")  # U+FFFD itself is a character like any
            assert kept.json()["data"]["name"] == "a\ufffd%ff"
            assert await names(at.api) == ["a\ufffd%ff"]

    run(go())


def test_the_same_content_by_the_same_name_is_updated(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            other = await at.tenant("other")
            first = (await upload(at.api, ("a", b"same"), tags="one", metadata='{"a": "1", "b": "1"}')).json()["data"]
            again = await upload(at.api, ("a", b"same"), tags="two", metadata='{"b": "2"}')
            assert again.status_code == 200
            record = again.json()["data"]
            assert (record["duplicate"], record["id"], record["name"]) == ("updated", first["id"], "a")
            assert (record["tags"], record["metadata"]) == (["one", "two"], {"a": "1", "b": "2"})
            theirs = await upload(other, ("mine", b"same"))
            assert theirs.status_code == 201
            assert theirs.json()["data"]["duplicate"] == "new"  # as if nobody else had it
            assert theirs.json()["data"]["tags"] == []
            assert (totals(at).files, totals(at).logical_bytes) == (1, 4)
            assert (totals(at, "other").files, totals(at, "other").logical_bytes) == (1, 4)
            with Node(tmp_path) as node:
                assert node.repo_stat().blocks == 1
            assert await names(at.api, tag="two") == ["a"]

    run(go())


def test_the_same_content_from_many_at_once_is_one_file(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            answers = await asyncio.gather(*(upload(at.api, ("a", b"same"), tags=f"t{n}") for n in range(8)))
            assert sorted(one.json()["data"]["duplicate"] for one in answers) == ["new"] + ["updated"] * 7
            (record,) = (await at.api.get(FILES)).json()["data"]
            assert sorted(record["tags"]) == [f"t{n}" for n in range(8)]
            assert totals(at).files == 1

    run(go())


# -- quotas ----------------------------------------------------------------------------------------------------------


def test_a_quota_is_never_overshot_and_a_failure_gives_its_room_back(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            small = await at.tenant("small")
            limit_quota(at, "small", quota_bytes=10_000)
            bodies = [bytes([number]) * 1000 for number in range(20)]
            answers = await asyncio.gather(
                *(small.put(f"{FILES}/{number}", content=body) for number, body in enumerate(bodies))
            )
            assert sorted(one.status_code for one in answers) == [201] * 10 + [403] * 10
            row = totals(at, "small")
            assert (row.logical_bytes, row.files, row.reserved_bytes, row.reserved_files) == (10_000, 10, 0, 0)

            async def unknown() -> AsyncIterator[bytes]:
                yield b"z" * 10

            refused = await small.put(f"{FILES}/more", content=unknown())
            assert (refused.status_code, refused.json()["code"]) == (403, "QUOTA_EXCEEDED")
            one = (await small.get(FILES)).json()["data"][0]
            await small.delete(f"{FILES}/{one['id']}")
            assert (await small.put(f"{FILES}/more", content=unknown())).status_code == 201

    run(go())


# -- CARs and what is missing ----------------------------------------------------------------------------------------


def _folder(tmp_path: Path, change: bytes = b"") -> tuple[CID, list[tuple[CID, bytes]]]:
    """A root and the blocks of a folder with two files."""
    with Node(tmp_path / f"builder-{len(change)}") as node:
        folder = tmp_path / f"source-{len(change)}" / "docs"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a").write_bytes(b"unchanged " * 1000)
        (folder / "b").write_bytes(b"changing " * 1000 + change)
        *_, root = node.add([folder], AddOptions())
        blocks = [(cid, node.block_get(cid)) for cid in node.refs_local()]
        return root.cid, blocks


def test_a_car_becomes_a_file_and_a_second_one_holds_only_what_changed(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        root, blocks = _folder(tmp_path)
        async with platform(tmp_path / "data", database_url=database_url) as at:
            cids = [str(cid) for cid, _ in blocks]
            ask = {"cids": cids, "root": str(root)}
            assert (await at.api.post(f"{FILES}/missing", json=ask)).json()["data"]["missing"] == cids
            car = car_v1([_block(*one) for one in blocks], [root.bytes])
            response = await at.api.post(CAR, content=car, params={"name": "docs", "tags": "pushed"})
            assert response.status_code == 201, response.text
            record = response.json()["data"]
            assert (record["cid"], record["name"], record["is_folder"]) == (str(root), "docs", True)
            assert (record["size"], record["tags"], record["profile"]) == (19_000, ["pushed"], "")
            assert (await at.api.post(f"{FILES}/missing", json=ask)).json()["data"]["missing"] == []
            again = await at.api.post(CAR, content=car_v1([], [root.bytes]))
            assert (again.status_code, again.json()["data"]["duplicate"]) == (200, "updated")
            # a changed file: its path only
            second, changed = _folder(tmp_path, b"!")
            ask = {"cids": [str(cid) for cid, _ in changed]}
            missing = (await at.api.post(f"{FILES}/missing", json=ask)).json()["data"]["missing"]
            assert len(missing) == 2
            few = car_v1([_block(*one) for one in changed if str(one[0]) in missing], [second.bytes])
            pushed = await at.api.post(CAR, content=few)
            assert pushed.status_code == 201, pushed.text
            await at.until(str(second), "pinned")
            got = await at.gateway.get(f"/ipfs/{second}/a")
            assert got.content == b"unchanged " * 1000
            # another organisation sees nothing of it, and cannot build on it
            other = await at.tenant("other")
            theirs = (await other.post(f"{FILES}/missing", json={"cids": cids, "root": str(root)})).json()["data"]
            assert theirs["missing"] == cids
            refused = await other.post(CAR, content=few)
            assert (refused.status_code, refused.json()["code"]) == (400, "INCOMPLETE_DAG")
            unchanged = next(cid for cid in ask["cids"] if cid not in missing)
            assert unchanged in refused.json()["error"]
            whole = await other.post(CAR, content=car)
            assert whole.json()["data"]["duplicate"] == "new"

    run(go())


def _block(cid: CID, data: bytes) -> RawBlock:
    return RawBlock(cid.bytes, data)


@pytest.mark.parametrize("kind", ["nothing", "nonsense", "no roots", "corrupt", "cut off", "missing root"])
def test_a_car_that_is_none_is_400_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    async def go() -> None:
        root, blocks = _folder(tmp_path)
        car = car_v1([_block(*one) for one in blocks], [root.bytes])
        body = {
            "nothing": b"",
            "nonsense": b"nonsense" * 1000,
            "no roots": car_v1([_block(*one) for one in blocks], []),
            "corrupt": car[:-10] + bytes([car[-10] ^ 1]) + car[-9:],
            "cut off": car[:-10],
            "missing root": car_v1([_block(*one) for one in blocks], [CID.of(b"elsewhere").bytes]),
        }[kind]
        async with platform(tmp_path / "data") as at:
            response = await at.api.post(CAR, content=body)
            assert response.status_code == 400, response.text
            assert await names(at.api) == []
            await nothing_is_pinned(tmp_path / "data")

    run(go())


def test_a_car_in_a_form_is_refused_with_the_way_to_send_it(tmp_path: Path) -> None:
    async def go() -> None:
        root, blocks = _folder(tmp_path)
        car = car_v1([_block(*one) for one in blocks], [root.bytes])
        async with platform(tmp_path / "data") as at:
            response = await at.api.post(CAR, files={"file": ("x.car", car)})
            assert response.status_code == 400
            assert response.json()["error"] == "this is a form; a CAR is sent as the body itself"
            assert "--data-binary" in response.json()["hint"]
            assert await names(at.api) == []

    run(go())


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ({}, 422),
        ({"cids": ["nonsense"]}, 400),
        ({"cids": [str(CID.of(b""))] * 10_001}, 422),
        ({"cids": [], "root": "nonsense"}, 400),
        ({"cids": []}, 200),
    ],
)
def test_a_question_for_blocks_is_bounded(tmp_path: Path, question: Any, status: int) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            assert (await at.api.post(f"{FILES}/missing", json=question)).status_code == status

    run(go())


# -- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ["created_at", "name", "size"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_cursor_goes_through_a_list_in_every_order(tmp_path: Path, database_url: str, sort: str, order: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            for number in (3, 1, 2, 5, 4):
                await at.upload(bytes([number]) * (number % 3 + 1), f"{number % 2}{number}.txt")
            query: dict[str, Any] = {"sort": sort, "order": order, "limit": 2}
            by_page = [name for page in (1, 2, 3) for name in await names(at.api, **query, page=page)]
            seen: list[str] = []
            cursor: str | None = None
            while True:
                body = (await at.api.get(FILES, params={**query, **({"cursor": cursor} if cursor else {})})).json()
                seen += [record["name"] for record in body["data"]]
                cursor = body["pagination"]["next_cursor"]
                if cursor is None:
                    break
            assert seen == by_page
            assert len(set(seen)) == 5
            key = {
                "created_at": lambda name: [13, 11, 2, 15, 4].index(int(name[:2])),
                "name": lambda name: name,
                "size": lambda name: int(name[1]) % 3,
            }[sort]
            keys = [key(name) for name in seen]  # type: ignore[no-untyped-call]
            assert keys == sorted(keys, reverse=order == "desc")

    run(go())


def test_filters_choose(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            await upload(at.api, ("photo one.jpg", b"1"), tags="a,b")
            await upload(at.api, ("photo two.png", b"2"), tags="b")
            last = (await upload(at.api, ("notes.txt", b"3"))).json()["data"]
            await at.until(last["cid"], "pinned")
            assert await names(at.api, search="PHOTO") == ["photo two.png", "photo one.jpg"]
            assert await names(at.api, search="to o") == ["photo one.jpg"]
            assert await names(at.api, search="%") == []
            assert await names(at.api, tag="b") == ["photo two.png", "photo one.jpg"]
            assert await names(at.api, tag=["a", "b"]) == ["photo one.jpg"]
            assert await names(at.api, content_type="image/*") == ["photo two.png", "photo one.jpg"]
            assert await names(at.api, content_type="image/png") == ["photo two.png"]
            async with asyncio.timeout(10):
                while len(await names(at.api, status="pinned")) < 3:
                    await asyncio.sleep(0.01)
            assert await names(at.api, status="failed") == []
            assert len(await names(at.api, status="pinned,failed")) == 3
            assert await names(at.api, status="pinned", tag="b", sort="name") == ["photo one.jpg", "photo two.png"]
            assert await names(at.api, project_id="0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11") == []
            body = (await at.api.get(FILES, params={"tag": "b", "limit": 1})).json()
            assert (body["pagination"]["total"], body["pagination"]["total_is_exact"]) == (2, True)
            more = await at.api.get(FILES, params={"tag": "b", "limit": 1, "cursor": body["pagination"]["next_cursor"]})
            assert [one["name"] for one in more.json()["data"]] == ["photo one.jpg"]
            assert await names(await at.tenant("other")) == []
            wrong = await at.api.get(FILES, params={"sort": "name", "cursor": body["pagination"]["next_cursor"]})
            assert wrong.status_code == 400

    run(go())


def test_files_are_found_by_as_many_tags_as_one_may_have(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            tags = [f"t{number}" for number in range(50)]
            await upload(at.api, ("all", b"all"), tags=tags)
            await upload(at.api, ("most", b"most"), tags=tags[:-1])
            for count in (1, 10, 49, 50):
                found = await at.api.get(FILES, params={"tag": tags[:count], "sort": "name"})
                assert found.status_code == 200, found.text
                both = ["all", "most"] if count < 50 else ["all"]
                assert [one["name"] for one in found.json()["data"]] == both
                assert found.json()["pagination"]["total"] == len(both)
            assert (await at.api.get(FILES, params={"tag": [*tags, "more"]})).status_code in (400, 422)

    run(go())


def test_a_record_can_be_changed_and_counted(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            record = await at.upload(b"hello", "a.txt")
            place = f"{FILES}/{record['id']}"
            edited = (
                await at.api.patch(place, json={"name": "b.txt", "tags": ["x", "y"], "metadata": {"k": "v"}})
            ).json()["data"]
            assert (edited["name"], edited["tags"], edited["metadata"]) == ("b.txt", ["x", "y"], {"k": "v"})
            assert edited["updated_at"] > record["updated_at"]
            assert await names(at.api, search="b.t") == ["b.txt"]
            only_tags = (await at.api.patch(place, json={"tags": ["y"]})).json()["data"]
            assert (only_tags["name"], only_tags["tags"]) == ("b.txt", ["y"])
            assert await names(at.api, tag="x") == []
            for wrong in ({"name": ""}, {"name": "a/b"}, {"name": "\ud800"}, {"tags": ["a,b"]}, {"size": 3}):
                refused = await at.api.patch(
                    place, content=json.dumps(wrong), headers={"Content-Type": "application/json"}
                )
                assert refused.status_code == 422, wrong
            other = await at.tenant("other")
            assert (await other.patch(place, json={"name": "mine"})).status_code == 404
            assert (await other.delete(place)).status_code == 404
            stats = (await at.api.get(f"{FILES}/stats")).json()["data"]
            expected = {"content_type": "text/plain", "files": 1, "bytes": 5}
            assert stats == {"files": 1, "bytes": 5, "content_types": [expected]}
            await at.api.delete(place)
            assert (await at.api.get(f"{FILES}/stats")).json()["data"]["content_types"] == []
            assert (totals(at).files, totals(at).logical_bytes) == (0, 0)

    run(go())


def test_many_are_deleted_and_tagged_at_once(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            first, second = await at.upload(b"1", "1"), await at.upload(b"2", "2")
            theirs = (await upload(await at.tenant("other"), ("3", b"3"))).json()["data"]
            ids = [first["id"], "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11", second["id"], theirs["id"]]
            tagged = (await at.api.post(f"{FILES}/batch/tag", json={"ids": ids, "add": ["t"]})).json()["data"]
            assert tagged["done"] == 2
            assert [one["status"] for one in tagged["results"]] == ["updated", "not_found", "updated", "not_found"]
            assert await names(at.api, tag="t") == ["2", "1"]
            taken_off = {"ids": [first["id"]], "remove": ["t"]}
            await at.api.post(f"{FILES}/batch/tag", json=taken_off)
            assert await names(at.api, tag="t") == ["2"]
            gone = (await at.api.post(f"{FILES}/batch/delete", json={"ids": ids})).json()["data"]
            assert [one["status"] for one in gone["results"]] == ["deleted", "not_found", "deleted", "not_found"]
            assert await names(at.api) == []
            assert totals(at, "other").files == 1
            wrongs: list[dict[str, Any]] = [{"ids": []}, {"ids": ["x" * 65]}, {"ids": [first["id"]] * 1001}, {}]
            for wrong in wrongs:
                assert (await at.api.post(f"{FILES}/batch/delete", json=wrong)).status_code == 422

    run(go())


def test_what_the_gateway_serves_most_is_popular(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            one, two = await at.upload(b"1", "1"), await at.upload(b"2", "2")
            today = datetime.now(UTC).date()

            def serve(session: Session) -> None:
                session.add(RootTrafficRow(root=one["cid"], day=today, requests=2, egress_bytes=20))
                session.add(RootTrafficRow(root=two["cid"], day=today, requests=7, egress_bytes=70))
                session.add(RootTrafficRow(root=str(CID.of(b"of others")), day=today, requests=99, egress_bytes=1))

            at.database.everybody.write_now(serve)
            popular = (await at.api.get(f"{FILES}/popular")).json()["data"]
            assert [(entry["file"]["name"], entry["requests"], entry["egress"]) for entry in popular] == [
                ("2", 7, 70),
                ("1", 2, 20),
            ]
            assert (await (await at.tenant("other")).get(f"{FILES}/popular")).json()["data"] == []

    run(go())


# -- similar files ---------------------------------------------------------------------------------------------------


def picture(seed: int, quality: int = 90, size: tuple[int, int] = (400, 300)) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def test_similar_files_are_found_by_a_job(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            wanted = await at.upload(picture(1), "holiday in spain.jpg")
            smaller = await at.upload(picture(1, quality=40, size=(200, 150)), "IMG_1.jpg")
            await at.upload(picture(2), "quite another.jpg")
            named = await at.upload(b"no picture", "holiday in spain2.jpg")
            same = await at.upload(picture(3), "holiday in spain.jpg")
            await upload(await at.tenant("other"), ("holiday in spain.jpg", picture(1)))
            queued = await at.api.post(f"{FILES}/{wanted['id']}/similar")
            assert (queued.status_code, queued.json()["data"]["result"]) == (202, None)
            job = queued.json()["data"]
            assert (await (await at.tenant("other")).get(f"/api/v1/jobs/{job['id']}")).status_code == 404
            async with asyncio.timeout(20):
                while job["status"] in ("queued", "running"):
                    await asyncio.sleep(0.02)
                    job = (await at.api.get(f"/api/v1/jobs/{job['id']}")).json()["data"]
            assert job["status"] == "done", job
            found = {(match["id"], match["reason"]) for match in job["result"]["matches"]}
            gap = abs(wanted["size"] - same["size"]) <= 0.1 * wanted["size"]
            assert (smaller["id"], "similar_image") in found
            assert (named["id"], "similar_name") in found
            assert (same["id"], "same_name" if gap else "similar_name") in found
            assert len(found) == 3
            assert (job["result"]["compared"], job["result"]["complete"]) == (5, True)
            missing = await at.api.post(f"{FILES}/0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11/similar")
            assert missing.status_code == 404

    run(go())


@pytest.mark.parametrize("door", ["upload", "put"])
def test_an_upload_whose_content_is_deleted_and_collected_before_it_is_recorded_can_be_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    races = [True]
    record = FilesService.record

    async def overtaken(self: FilesService, caller: Caller, stored: Any, *rest: Any) -> Any:
        if races:
            races.pop()
            with Node(tmp_path) as node:
                for one in stored:
                    node.pin_rm(one.cid)
                node.gc()
        return await record(self, caller, stored, *rest)

    monkeypatch.setattr(FilesService, "record", overtaken)

    async def go() -> None:
        async with platform(tmp_path) as at:

            async def send() -> httpx.Response:
                if door == "put":
                    return await at.api.put(f"{FILES}/a.txt", content=b"the same bytes")
                return await upload(at.api, ("a.txt", b"the same bytes"))

            refused = await send()
            assert (refused.status_code, refused.json()["code"]) == (503, "UPLOAD_OVERTAKEN")
            assert int(refused.headers["retry-after"]) > 0
            again = await send()
            assert again.status_code == 201, again.text
            assert totals(at).files == 1

    run(go())
