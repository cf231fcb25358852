"""What the Pinning Service API promises and its compliance suite does not ask."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.multihash import IDENTITY
from pinfold.db import roots
from pinfold.db.models import PinRow
from pinfold.services.accounts import Scope
from tests.support.platform import PATIENCE_S, Platform, platform, run

Play = Callable[[Callable[[Platform], Coroutine[Any, Any, None]]], None]
NOWHERE = str(CID.of(b"nobody has this"))


@pytest.fixture
def play(tmp_path: Path, database_url: str) -> Play:
    """Runs a test's coroutine on a fresh platform."""

    def go(story: Callable[[Platform], Coroutine[Any, Any, None]]) -> None:
        async def tell() -> None:
            async with platform(tmp_path, database_url=database_url) as on:
                await story(on)

        run(tell())

    return go


def inline(text: str) -> str:
    """A CID that carries its content, which is therefore here."""
    return str(CID.of(text.encode(), hash_code=IDENTITY))


async def add(api: httpx.AsyncClient, cid: str, **more: Any) -> dict[str, Any]:
    """The ``PinStatus`` of an accepted pin."""
    response = await api.post("/psa/pins", json={"cid": cid, **more})
    assert response.status_code == 202, response.text
    status: dict[str, Any] = response.json()
    return status


async def ls(api: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    """The ``PinResults`` of a query, as it stands in the URL."""
    response = await api.get(f"/psa/pins?{query}")
    assert response.status_code == 200, response.text
    results: dict[str, Any] = response.json()
    return results


async def until(api: httpx.AsyncClient, requestid: str, status: str) -> dict[str, Any]:
    """A pin once it has a status."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found: dict[str, Any] = (await api.get(f"/psa/pins/{requestid}")).json()
            if found["status"] == status:
                return found
            await asyncio.sleep(0.01)


ANY = "status=queued,pinning,pinned,failed"


def test_every_request_has_an_id_and_a_time_of_its_own(play: Play) -> None:
    async def story(on: Platform) -> None:
        added = await asyncio.gather(*(add(on.api, inline("same")) for _ in range(20)))
        assert len({one["requestid"] for one in added}) == len({one["created"] for one in added}) == 20
        for one in added:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one["created"])
            assert all(re.search(r"/p2p/12D3KooW\w{44}$", delegate) for delegate in one["delegates"])
            assert one["delegates"]
            assert one["pin"] == {"cid": inline("same")}
        found = await ls(on.api, f"{ANY}&limit=1000")
        assert [one["created"] for one in found["results"]] == sorted((one["created"] for one in added), reverse=True)

    play(story)


def test_only_pinned_ones_are_listed_unless_others_are_asked_for(play: Play) -> None:
    async def story(on: Platform) -> None:
        here, away = await add(on.api, inline("here")), await add(on.api, NOWHERE)
        await until(on.api, here["requestid"], "pinned")
        failed = await until(on.api, away["requestid"], "failed")
        assert failed["info"]["status_details"]
        assert [one["requestid"] for one in (await ls(on.api))["results"]] == [here["requestid"]]
        assert [one["requestid"] for one in (await ls(on.api, "status=failed"))["results"]] == [away["requestid"]]
        assert (await ls(on.api, ANY))["count"] == 2
        assert (await ls(on.api, "status=queued&status=failed"))["count"] == 1

    play(story)


def test_lists_are_as_long_as_asked_for_and_say_how_many_there_are(play: Play) -> None:
    async def story(on: Platform) -> None:
        for number in range(12):
            await add(on.api, inline(str(number)))
        assert len((await ls(on.api, ANY))["results"]) == 10
        one = await ls(on.api, f"{ANY}&limit=1")
        assert (one["count"], len(one["results"])) == (12, 1)
        assert one["results"][0]["pin"]["cid"] == inline("11")
        assert len((await ls(on.api, f"{ANY}&limit=1000"))["results"]) == 12
        for limit in ("0", "1001", "-1", "ten", "1.5"):
            response = await on.api.get(f"/psa/pins?limit={limit}")
            assert response.status_code == 400, limit
            assert set(response.json()) == {"error"}

    play(story)


def test_pages_follow_each_other_by_times_with_fractions(play: Play) -> None:
    async def story(on: Platform) -> None:
        added = [(await add(on.api, inline(str(number))))["requestid"] for number in range(9)]
        read: list[str] = []
        query = f"{ANY}&limit=2"
        while True:
            page = await ls(on.api, query)
            read += [one["requestid"] for one in page["results"]]
            if page["count"] <= len(page["results"]):
                break
            query = f"{ANY}&limit=2&before={page['results'][-1]['created']}"
        assert read == added[::-1]
        newest, second = (await ls(on.api, f"{ANY}&limit=2"))["results"]
        assert [one["requestid"] for one in (await ls(on.api, f"{ANY}&after={second['created']}"))["results"]] == [
            newest["requestid"]
        ]
        other_zone = newest["created"].replace("Z", "+00:00")
        assert (await ls(on.api, f"{ANY}&before={quote(other_zone)}"))["count"] == 8
        assert (await ls(on.api, f"{ANY}&before={other_zone}"))["count"] == 8
        assert (await ls(on.api, f"{ANY}&before={newest['created'][:-1]}999Z"))["count"] == 8
        for time in ("yesterday", "2026-01-31", "1700000000", "2026-13-01T00:00:00Z", "2026-01-31T12:00:00", ""):
            assert (await on.api.get("/psa/pins", params={"after": time})).status_code == 400, time

    play(story)


def test_lists_are_filtered_by_cid_in_any_form(play: Play) -> None:
    async def story(on: Platform) -> None:
        v1 = CID.of(b"\x0a\x02\x08\x01", codec=0x70)
        v0 = str(v1.to_v0())
        for cid in (v0, str(v1), NOWHERE, inline("x")):
            await add(on.api, cid)
        assert {one["pin"]["cid"] for one in (await ls(on.api, f"{ANY}&cid={v0}"))["results"]} == {v0, str(v1)}
        assert (await ls(on.api, f"{ANY}&cid={v1},{NOWHERE}"))["count"] == 3
        assert (await ls(on.api, f"{ANY}&cid={v1}&cid={NOWHERE}"))["count"] == 3
        ten = ",".join(inline(str(number)) for number in range(10))
        assert (await ls(on.api, f"{ANY}&cid={ten}"))["count"] == 0
        for cids in (f"{ten},{NOWHERE}", "nonsense", f"{v0},", ""):
            assert (await on.api.get(f"/psa/pins?cid={cids}")).status_code == 400, cids

    play(story)


def test_names_match_in_four_ways(play: Play) -> None:
    async def story(on: Platform) -> None:
        for name in ("Data.pdf", "data.pdf", "PreciousData.pdf", "other"):
            await add(on.api, inline(name), name=name)

        async def names(query: str) -> set[str]:
            return {one["pin"]["name"] for one in (await ls(on.api, f"{ANY}&{query}"))["results"]}

        assert await names("name=data.pdf") == {"data.pdf"}
        assert await names("name=data.pdf&match=exact") == {"data.pdf"}
        assert await names("name=DATA.pdf&match=iexact") == {"data.pdf", "Data.pdf"}
        assert await names("name=Data&match=partial") == {"Data.pdf", "PreciousData.pdf"}
        assert await names("name=DATA&match=ipartial") == {"Data.pdf", "data.pdf", "PreciousData.pdf"}
        assert (await on.api.get("/psa/pins?name=a&match=fuzzy")).status_code == 400
        assert (await on.api.get("/psa/pins", params={"name": "x" * 256})).status_code == 400

    play(story)


def test_metadata_is_kept_and_all_of_a_filter_has_to_match(play: Play) -> None:
    async def story(on: Platform) -> None:
        both = {"app": "blog", "lang": "日本"}
        await add(on.api, inline("both"), meta=both)
        await add(on.api, inline("one"), meta={"app": "blog"})

        async def found(meta: Any) -> list[dict[str, Any]]:
            query = f"{ANY}&meta={quote(json.dumps(meta))}"
            return [one["pin"] for one in (await ls(on.api, query))["results"]]

        assert [pin["meta"] for pin in await found({"lang": "日本"})] == [both]
        assert [pin["meta"] for pin in await found(both)] == [both]
        assert len(await found({"app": "blog"})) == len(await found({})) == 2
        assert await found({"app": "blog", "lang": "en"}) == []
        for text in ("{", "[]", '"a"', '{"a": 1}', "null"):
            assert (await on.api.get("/psa/pins", params={"meta": text})).status_code == 400, text

    play(story)


def test_origins_are_kept_and_those_that_cannot_be_used_do_no_harm(play: Play) -> None:
    async def story(on: Platform) -> None:
        peer = "/p2p/QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
        origins = [f"/ip4/203.0.113.142/tcp/4001{peer}", f"/ip4/203.0.113.114/udp/4001/quic{peer}"]
        origins.append("/ip4/10.0.0.1/tcp/4001")  # wherever that is, it speaks no HTTP, and nobody goes there
        added = await add(on.api, inline("x"), origins=origins)
        assert added["pin"]["origins"] == origins
        await until(on.api, added["requestid"], "pinned")
        too_many = [f"/ip4/203.0.113.1/tcp/{port}{peer}" for port in range(1, 22)]
        assert (await on.api.post("/psa/pins", json={"cid": NOWHERE, "origins": too_many})).status_code == 400

    play(story)


@pytest.mark.parametrize("origin", ["no multiaddr", "/ip4/203.0.113.1/tcp/99999/http", "/ip4/127.0.0.1/tcp/80/http"])
def test_origins_that_can_never_be_meant_are_refused_when_they_are_sent(play: Play, origin: str) -> None:
    async def story(on: Platform) -> None:
        added = await add(on.api, inline("x"))
        wish = {"cid": NOWHERE, "origins": [origin]}
        for refused in (
            await on.api.post("/psa/pins", json=wish),
            await on.api.post(f"/psa/pins/{added['requestid']}", json=wish),
        ):
            assert refused.status_code == 400
            assert origin in refused.json()["error"]["details"]
        assert (await on.api.get(f"/psa/pins/{added['requestid']}")).status_code == 200

    play(story)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"cid"',
        b"{}",
        b'{"cid": ""}',
        b'{"cid": "QmNonsense"}',
        b'{"cid": 5}',
        b'{"cid": null}',
        b'{"cid": "CID", "name": 5}',
        b'{"cid": "CID", "meta": {"a": 1}}',
        b'{"cid": "CID", "meta": []}',
        b'{"cid": "CID", "origins": "/ip4"}',
        b'{"cid": "CID", "name": "a\\u0000b"}',
        b'{"cid": "CID", "name": "' + b"x" * 256 + b'"}',
        b'{"cid": "CID", "name": "\\ud800"}',
        b'{"cid": "CID", "meta": {"a\\u0000": "b"}}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_pin_is_400_in_the_form_of_the_specification(tmp_path: Path, body: bytes) -> None:
    async def go() -> None:
        async with platform(tmp_path) as on:
            content = body.replace(b"CID", NOWHERE.encode())
            for path in ("/psa/pins", "/psa/pins/0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"):
                response = await on.api.post(path, content=content, headers={"content-type": "application/json"})
                assert response.status_code == 400, response.text
                assert response.json()["error"]["reason"] == "BAD_REQUEST"
                assert response.json()["error"]["details"]
            assert (await ls(on.api, ANY))["count"] == 0

    run(go())


def test_every_error_has_the_form_of_the_specification(play: Play) -> None:
    async def story(on: Platform) -> None:
        anonymous, reader = await on.client(None), await on.client(await on.token_for(Scope.PINS_READ))
        wrong = await on.client("pf_wrong")
        unknown = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
        for client, method, path, status, reason in (
            (anonymous, "GET", "/psa/pins", 401, "UNAUTHORIZED"),
            (wrong, "POST", "/psa/pins", 401, "UNAUTHORIZED"),
            (reader, "POST", "/psa/pins", 403, "FORBIDDEN"),
            (reader, "DELETE", f"/psa/pins/{unknown}", 403, "FORBIDDEN"),
            (on.api, "GET", f"/psa/pins/{unknown}", 404, "NOT_FOUND"),
            (on.api, "POST", f"/psa/pins/{unknown}", 404, "NOT_FOUND"),
            (on.api, "DELETE", f"/psa/pins/{unknown}", 404, "NOT_FOUND"),
            (on.api, "GET", "/psa/pins/nonsense%00", 404, "NOT_FOUND"),
            (on.api, "GET", "/psa/nothing", 404, "NOT_FOUND"),
            (on.api, "GET", "/psa", 404, "NOT_FOUND"),
            (on.api, "PUT", "/psa/pins", 405, "METHOD_NOT_ALLOWED"),
        ):
            response = await client.request(method, path, json={"cid": NOWHERE} if method == "POST" else None)
            assert (response.status_code, response.json()["error"]["reason"]) == (status, reason), (method, path)
        too_long = await on.api.post("/psa/pins", content=b" " * (17 << 20))
        assert (too_long.status_code, too_long.json()["error"]["reason"]) == (413, "PAYLOAD_TOO_LARGE")

    play(story)


def test_a_replacement_has_an_id_of_its_own_and_the_old_one_is_gone(play: Play) -> None:
    async def story(on: Platform) -> None:
        old = await add(on.api, inline("old"), name="site")
        await until(on.api, old["requestid"], "pinned")
        response = await on.api.post(f"/psa/pins/{old['requestid']}", json={"cid": inline("new"), "name": "site"})
        assert response.status_code == 202
        new = response.json()
        assert new["requestid"] != old["requestid"]
        assert (await on.api.get(f"/psa/pins/{old['requestid']}")).status_code == 404
        await until(on.api, new["requestid"], "pinned")
        assert [one["pin"]["cid"] for one in (await ls(on.api, "name=site"))["results"]] == [inline("new")]
        gone = await on.api.delete(f"/psa/pins/{new['requestid']}")
        assert (gone.status_code, gone.content) == (202, b"")
        assert (await on.api.delete(f"/psa/pins/{new['requestid']}")).status_code == 404
        assert (await ls(on.api, ANY))["count"] == 0

    play(story)


def test_tenants_are_blind_to_each_other(play: Play) -> None:
    async def story(on: Platform) -> None:
        stranger = await on.tenant("stranger")
        mine = await add(on.api, inline("mine"), name="secret", meta={"app": "mine"})
        path = f"/psa/pins/{mine['requestid']}"
        for query in ("", "&name=secret", f"&cid={inline('mine')}", "&meta=" + quote('{"app": "mine"}')):
            assert await ls(stranger, ANY + query) == {"count": 0, "results": []}
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.delete(path)).status_code == 404
        assert (await stranger.post(path, json={"cid": inline("theirs")})).status_code == 404
        assert (await on.api.get(path)).status_code == 200
        theirs = await add(stranger, inline("mine"))
        await until(stranger, theirs["requestid"], "pinned")
        assert (await stranger.delete(f"/psa/pins/{theirs['requestid']}")).status_code == 202
        await until(on.api, mine["requestid"], "pinned")
        await asyncio.sleep(0)
        assert (await on.pin_status(inline("mine")))["healthy_replicas"] == 1

    play(story)


def test_what_uploads_pinned_is_listed_with_files_not_here(play: Play) -> None:
    async def story(on: Platform) -> None:
        file = await on.upload(b"a file")
        await on.until(file["cid"], "pinned")
        assert await ls(on.api, ANY) == {"count": 0, "results": []}
        (of_file,) = (await on.api.get("/api/v1/pins?files=true")).json()["data"]
        path = f"/psa/pins/{of_file['id']}"
        assert (await on.api.get(path)).status_code == 404
        assert (await on.api.delete(path)).status_code == 404
        assert (await on.api.post(path, json={"cid": NOWHERE})).status_code == 404
        pinned = await add(on.api, file["cid"])
        assert (await until(on.api, pinned["requestid"], "pinned"))["info"]["dag_size"] == "6"

    play(story)


def test_a_used_up_quota_is_insufficient_funds(play: Play) -> None:
    async def story(on: Platform) -> None:
        free = await on.tenant("small", plan="free")
        pins = [{"cid": inline(str(number))} for number in range(1000)]
        response = await free.post("/api/v1/pins/bulk/add", json={"pins": pins})
        assert response.json()["data"]["accepted"] == 1000, response.text
        response = await free.post("/psa/pins", json={"cid": NOWHERE})
        assert (response.status_code, response.json()["error"]["reason"]) == (409, "INSUFFICIENT_FUNDS")

    play(story)


def test_a_pin_under_way_says_how_far_it_has_come(play: Play) -> None:
    async def story(on: Platform) -> None:
        added = [await add(on.api, NOWHERE, name=name) for name in ("one", "two")]
        other = await add(on.api, inline("here"))
        await until(on.api, other["requestid"], "pinned")
        await until(on.api, added[0]["requestid"], "failed")

        def under_way(session: Session) -> None:
            session.execute(update(PinRow).where(PinRow.root == NOWHERE).values(status="pinning", error=None))
            roots.set_progress(session, NOWHERE, 1200, 34_567, datetime.now(UTC))

        await on.database.everybody.write(under_way)
        for one in (await ls(on.api, "status=pinning"))["results"]:
            assert one["info"]["status_details"] == "1,200 blocks, 34,567 bytes are here"
        one = (await on.api.get(f"/psa/pins/{other['requestid']}")).json()
        assert "status_details" not in one["info"]

    play(story)
