"""Forms of many plain files: kept together, written together, and by nobody who has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from pinfold.db.models import FileRow
from pinfold.node import Node
from pinfold.store.writer import Root, Writer
from tests.support.platform import PATIENCE_S, Platform, platform, run

UPLOAD = "/api/v1/files/upload"
FILES = "/api/v1/files"


def form_of(*files: tuple[str, bytes]) -> httpx.Request:
    return httpx.Request("POST", f"http://api.test{UPLOAD}", files=[("file", one) for one in files])


async def records(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code in (200, 201), response.text
    found: list[dict[str, Any]] = response.json()["data"]
    return found


def count(session: Session) -> int:
    return session.scalars(select(func.count()).select_from(FileRow)).one()


async def nothing_is_kept(at: Platform, data_dir: Path) -> None:
    assert await at.database.everybody.read(count) == 0
    with Node(data_dir) as node:
        async with asyncio.timeout(PATIENCE_S):
            while any(pin.mode == "recursive" for pin in node.pin_ls()):
                await asyncio.sleep(0.01)


def test_the_files_of_a_form_share_one_commit_and_come_back_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    commit = Writer.commit

    def counted(self: Writer, roots: Sequence[Root] = ()) -> None:
        commits.append(len(roots))
        commit(self, roots)

    async def go() -> None:
        async with platform(tmp_path) as at:
            monkeypatch.setattr(Writer, "commit", counted)
            files = [("file", (f"{n}.txt", b"%d" % n)) for n in range(120)]
            made = await records(await at.api.post(UPLOAD, files=files, data={"tags": "all"}))
            assert [one["name"] for one in made] == [name for _, (name, _) in files]
            assert [one["size"] for one in made] == [len(data) for _, (_, data) in files]
            assert commits == [120]
            tagged = await at.api.get(FILES, params={"tag": "all", "limit": 1})
            assert tagged.json()["pagination"]["total"] == 120
            for one in made[::40]:
                await at.until(one["cid"], "pinned")
                assert (await at.gateway.get(f"/ipfs/{one['cid']}")).text == one["name"].removesuffix(".txt")

    run(go())


def test_a_content_that_a_form_has_twice_is_found_under_both_names(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            files = [("file", (name, data)) for name, data in (("a", b"same"), ("b", b"other"), ("c", b"same"))]
            made = await records(await at.api.post(UPLOAD, files=[*files, files[0]]))
            assert [one["duplicate"] for one in made] == ["new", "new", "new", "updated"]
            assert [one["name"] for one in made] == ["a", "b", "c", "a"]
            assert made[0]["id"] == made[3]["id"] != made[2]["id"]
            assert await at.database.everybody.read(count) == 3
            again = await records(await at.api.post(UPLOAD, files=files))
            assert [one["duplicate"] for one in again] == ["updated"] * 3

    run(go())


@pytest.mark.parametrize("gone", ["after the form", "within it"])
def test_who_goes_before_the_answer_leaves_nothing(tmp_path: Path, gone: str) -> None:
    form = form_of(*((f"{n}.txt", b"%d" % n) for n in range(30)))
    body = form.read()
    sent = body if gone == "after the form" else body[:-100]

    async def go() -> None:
        async with platform(tmp_path) as at:
            messages: list[dict[str, Any]] = [
                {"type": "http.request", "body": sent, "more_body": gone == "within it"},
                {"type": "http.disconnect"},
            ]

            async def receive() -> dict[str, Any]:
                return messages.pop(0) if len(messages) > 1 else messages[0]

            async def send(message: Any) -> None:
                pass  # nobody hears it

            scope = {
                "type": "http",
                "method": "POST",
                "path": UPLOAD,
                "raw_path": UPLOAD.encode(),
                "query_string": b"",
                "headers": [
                    (b"authorization", f"Bearer {at.token}".encode()),
                    (b"content-type", form.headers["content-type"].encode()),
                ],
                "client": ("127.0.0.1", 1),
                "server": ("api.test", 80),
                "scheme": "http",
                "http_version": "1.1",
                "root_path": "",
            }
            try:
                await at.api_app(scope, receive, send)
            except ClientDisconnect:
                pass
            await nothing_is_kept(at, tmp_path)

    run(go())


def test_a_form_of_too_many_files_is_400_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.services.files.receiving.MOST_FILES", 3)

    async def go() -> None:
        async with platform(tmp_path) as at:
            files = [("file", (f"{n}", b"%d" % n)) for n in range(4)]
            refused = await at.api.post(UPLOAD, files=files)
            assert refused.status_code == 400
            assert "folder" in refused.json()["hint"]
            await nothing_is_kept(at, tmp_path)
            assert len(await records(await at.api.post(UPLOAD, files=files[:3]))) == 3

    run(go())


def test_an_upload_learns_nothing_of_what_other_organisations_keep(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            other = await at.tenant("other")
            for number in range(3):
                files = [("file", ("a", b"the same %d" % number)), ("file", ("b", b"too %d" % number))]
                answers = await asyncio.gather(*(one.post(UPLOAD, files=files) for one in (at.api, other)))
                both = [[one["duplicate"] for one in await records(answer)] for answer in answers]
                assert both == [["new"] * 2, ["new"] * 2]

    run(go())
