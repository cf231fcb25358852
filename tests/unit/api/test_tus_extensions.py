"""tus: lengths that come later, parts that are joined, metadata of any bytes, and what is said to strangers."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from tests.support.platform import Platform, platform, run
from tests.unit.api.test_files import limit_quota, totals
from tests.unit.api.test_tus import TUS, VERSION, begin, bytes_on_disk, metadata, offset_of, send

LATER = {**VERSION, "Upload-Defer-Length": "1", "Upload-Metadata": metadata(filename="a.txt")}


async def part(at: Platform, data: bytes) -> str:
    made = await at.api.post(
        TUS,
        content=data,
        headers={
            **VERSION,
            "Upload-Concat": "partial",
            "Upload-Length": str(len(data)),
            "Content-Type": "application/offset+octet-stream",
        },
    )
    assert made.status_code == 201, made.text
    assert "pinfold-file-id" not in made.headers
    return made.headers["location"]


def final(*places: str) -> dict[str, str]:
    return {**VERSION, "Upload-Concat": f"final;{' '.join(places)}", "Upload-Metadata": metadata(filename="joined.txt")}


# -- creation-defer-length -------------------------------------------------------------------------------------------


def test_a_length_may_come_with_any_bytes(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            place = (await at.api.post(TUS, headers=LATER)).headers["location"]
            head = (await at.api.head(place, headers=VERSION)).headers
            assert (head["upload-defer-length"], head["upload-offset"]) == ("1", "0")
            assert "upload-length" not in head
            assert (await send(at, place, 0, b"hello ")).status_code == 204
            assert (await at.api.get(place)).json()["data"]["length"] is None
            assert (await send(at, place, 6, b"", **{"Upload-Length": "5"})).status_code == 400  # more are here
            assert (await send(at, place, 6, b"wor", **{"Upload-Length": "11"})).status_code == 204
            head = (await at.api.head(place, headers=VERSION)).headers
            assert (head["upload-length"], head["upload-offset"]) == ("11", "9")
            assert "upload-defer-length" not in head
            assert (await send(at, place, 9, b"ld", **{"Upload-Length": "12"})).status_code == 400
            assert (await send(at, place, 9, b"ld and more")).status_code == 413
            done = await send(at, place, 9, b"ld", **{"Upload-Length": "11"})
            record = (await at.api.get(f"/api/v1/files/{done.headers['pinfold-file-id']}")).json()["data"]
            assert (record["name"], record["cid"]) == ("a.txt", str(CID.of(b"hello world")))

    run(go())


def test_a_length_may_come_when_all_bytes_are_here(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            place = (await at.api.post(TUS, headers=LATER)).headers["location"]
            await send(at, place, 0, b"hello")
            done = await send(at, place, 5, b"", **{"Upload-Length": "5"})
            assert done.headers["pinfold-file-id"]
            assert bytes_on_disk(tmp_path) == []

    run(go())


def test_while_a_length_is_unknown_the_quota_is_kept_and_what_is_too_large_refused(
    tmp_path: Path, database_url: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url, max_resumable_upload_bytes=150) as at:
            small = await at.tenant("small")
            limit_quota(at, "small", quota_bytes=100)
            place = (await small.post(TUS, headers=LATER)).headers["location"]
            bytes_of = {**VERSION, "Content-Type": "application/offset+octet-stream"}
            sent = await small.patch(place, content=b"x" * 60, headers={**bytes_of, "Upload-Offset": "0"})
            assert sent.status_code == 204
            assert totals(at, "small").reserved_bytes == 60
            over = await small.patch(place, content=b"x" * 60, headers={**bytes_of, "Upload-Offset": "60"})
            assert (over.status_code, over.json()["code"]) == (403, "QUOTA_EXCEEDED")
            learnt = {**bytes_of, "Upload-Offset": "60", "Upload-Length": "60"}
            assert (await small.patch(place, content=b"", headers=learnt)).status_code == 204
            assert (totals(at, "small").reserved_bytes, totals(at, "small").files) == (0, 1)
            unbounded = (await at.api.post(TUS, headers=LATER)).headers["location"]
            assert (await send(at, unbounded, 0, b"x" * 151)).status_code == 413
            assert (await send(at, unbounded, 0, b"x", **{"Upload-Length": "151"})).status_code == 413

    run(go())


# -- concatenation ---------------------------------------------------------------------------------------------------


def test_parts_become_one_file_in_the_order_that_is_asked_for(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            places = [await part(at, data) for data in (b"world", b"", b"hello ")]
            head = (await at.api.head(places[0], headers=VERSION)).headers
            assert (head["upload-concat"], head["upload-offset"], head["upload-length"]) == ("partial", "5", "5")
            assert (await at.api.get("/api/v1/files")).json()["data"] == []
            whole = f"http://api.test{places[2]}"
            made = await at.api.post(TUS, headers=final(whole, places[1], places[0]))
            assert made.status_code == 201, made.text
            record = (await at.api.get(f"/api/v1/files/{made.headers['pinfold-file-id']}")).json()["data"]
            assert (record["name"], record["cid"], record["size"]) == ("joined.txt", str(CID.of(b"hello world")), 11)
            assert record["content_type"] == "text/plain"
            head = (await at.api.head(made.headers["location"], headers=VERSION)).headers
            assert head["upload-concat"].startswith("final;http://api.test/api/v1/files/tus/")
            assert (head["upload-offset"], head["upload-length"]) == ("11", "11")
            assert (await send(at, made.headers["location"], 11, b"")).status_code in (403, 410)
            assert bytes_on_disk(tmp_path) == []
            assert [(await at.api.head(one, headers=VERSION)).status_code for one in places] == [404] * 3

    run(go())


def test_only_complete_parts_can_be_joined(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            done, whole = await part(at, b"hello"), await begin(at, 5)
            begun = (
                await at.api.post(TUS, headers={**VERSION, "Upload-Concat": "partial", "Upload-Length": "5"})
            ).headers["location"]
            later = (
                await at.api.post(TUS, headers={**VERSION, "Upload-Concat": "partial", "Upload-Defer-Length": "1"})
            ).headers["location"]
            for other in (whole, begun, later):
                assert (await at.api.post(TUS, headers=final(done, other))).status_code == 400
            stranger = await at.tenant("other")
            assert (await stranger.post(TUS, headers=final(done))).status_code == 404
            assert await offset_of(at, done) == 5
            assert (await at.api.post(TUS, headers=final(done, done))).status_code == 201

    run(go())


def test_parts_hold_their_room_until_the_file_has_it(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            limit_quota(at, "default", quota_bytes=10, quota_files=1)
            places = [await part(at, b"hello"), await part(at, b"world")]
            row = totals(at)
            assert (row.reserved_bytes, row.reserved_files) == (10, 0)
            more = {**VERSION, "Upload-Concat": "partial", "Upload-Length": "1"}
            assert (await at.api.post(TUS, headers=more)).status_code == 403
            assert (await at.api.post(TUS, headers=final(*places))).status_code == 201
            row = totals(at)
            assert (row.reserved_bytes, row.reserved_files, row.files, row.logical_bytes) == (0, 0, 1, 10)

    run(go())


# -- metadata and OPTIONS --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", ",", ",,note aGk=", ", empty"])
def test_metadata_of_any_bytes_comes_back_as_it_was_sent(tmp_path: Path, end: str) -> None:
    digest = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    sent = f"filename eC5iaW4=,sha256 {digest},nul AA=={end}"

    async def go() -> None:
        async with platform(tmp_path) as at:
            made = await at.api.post(TUS, headers={**VERSION, "Upload-Length": "1", "Upload-Metadata": sent})
            assert made.status_code == 201, made.text
            head = await at.api.head(made.headers["location"], headers=VERSION)
            assert head.headers["upload-metadata"] == sent
            done = await send(at, made.headers["location"], 0, b"x")
            record = (await at.api.get(f"/api/v1/files/{done.headers['pinfold-file-id']}")).json()["data"]
            assert record["name"] == "x.bin"

    run(go())


def test_options_need_no_token_and_name_every_extension(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            stranger = await at.client(None)
            said = await stranger.options(TUS)
            assert (said.status_code, said.headers["tus-version"]) == (204, "1.0.0")
            assert set(said.headers["tus-extension"].split(",")) == {
                "creation",
                "creation-with-upload",
                "creation-defer-length",
                "expiration",
                "checksum",
                "termination",
                "concatenation",
            }

    run(go())
