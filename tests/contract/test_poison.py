"""Texts that are none and times that overflow, at every door and on both databases: refused, and nothing is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput
from pinfold.core.multihash import IDENTITY
from pinfold.services.pins import RequestStatus
from tests.support.pins_world import World, in_a_world
from tests.support.platform import Platform, platform, run

Play = Callable[[Callable[[Platform], Coroutine[Any, Any, None]]], None]
HALF = "\\ud800"
TOO_EARLY, TOO_LATE = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
HERE = str(CID.of(b"here", hash_code=IDENTITY))


@pytest.fixture
def play(tmp_path: Path, database_url: str) -> Play:
    """Runs a test's coroutine on a fresh platform."""

    def go(story: Callable[[Platform], Coroutine[Any, Any, None]]) -> None:
        async def tell() -> None:
            async with platform(tmp_path, database_url=database_url) as on:
                await story(on)

        run(tell())

    return go


async def send(api: httpx.AsyncClient, method: str, path: str, body: str | bytes) -> httpx.Response:
    return await api.request(method, path, content=body, headers={"Content-Type": "application/json"})


def refused(response: httpx.Response, status: int) -> None:
    """A refusal in the form of its door."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert (error["reason"] == "BAD_REQUEST") if response.url.path.startswith("/psa") else error


@pytest.mark.parametrize(
    "member",
    [
        f'"meta": {{"a": "{HALF}"}}',
        f'"meta": {{"{HALF}": "a"}}',
        f'"name": "{HALF}"',
        f'"origins": ["/dns4/{HALF}/tcp/443/https"]',
        f'"more": [{{"deep": "{HALF}"}}]',
        '"name": "\\uDFFF"',
    ],
)
def test_half_of_a_surrogate_pair_is_refused_at_both_doors_and_nothing_is_stored(play: Play, member: str) -> None:
    async def story(on: Platform) -> None:
        body = f'{{"cid": "{HERE}", {member}}}'
        refused(await send(on.api, "POST", "/psa/pins", body), 400)
        refused(await send(on.api, "POST", "/api/v1/pins", body), 422)
        assert (await on.api.get("/psa/pins?status=queued,pinning,pinned,failed")).json()["count"] == 0

    play(story)


def test_no_endpoint_takes_what_is_no_text(play: Play) -> None:
    async def story(on: Platform) -> None:
        refused(await send(on.api, "POST", "/psa/pins", f'{{"cid": "{HALF}"}}'), 400)
        half_in_bytes = b'{"cid": "%b", "name": "\xed\xa0\x80"}' % HERE.encode()
        refused(await send(on.api, "POST", "/psa/pins", half_in_bytes), 400)
        refused(await send(on.api, "POST", "/psa/pins", json.dumps({"cid": HERE}).encode("utf-16")), 400)
        refused(await send(on.api, "POST", "/api/v1/projects", f'{{"name": "a", "team": ["{HALF}"]}}'), 422)
        refused(await send(on.api, "POST", "/api/v1/pins/bulk/add", f'{{"pins": [{{"cid": "{HALF}"}}]}}'), 422)
        half = quote(f'{{"a": "{HALF}"}}')
        refused(await on.api.get(f"/api/v1/pins?metadata={half}"), 400)
        refused(await on.api.get(f"/psa/pins?meta={half}"), 400)

    play(story)


def test_a_whole_pair_and_an_escaped_backslash_are_text(play: Play) -> None:
    async def story(on: Platform) -> None:
        body = f'{{"cid": "{HERE}", "meta": {{"a": "\\ud83d\\ude00", "b": "\\{HALF}"}}}}'
        assert (await send(on.api, "POST", "/psa/pins", body)).status_code == 202
        listed = (await on.api.get("/psa/pins?status=queued,pinning,pinned")).json()
        assert listed["results"][0]["pin"]["meta"] == {"a": "😀", "b": HALF}

    play(story)


@pytest.mark.parametrize("time", [TOO_EARLY, TOO_LATE])
def test_a_time_that_utc_has_no_year_for_is_refused_everywhere(play: Play, time: str) -> None:
    async def story(on: Platform) -> None:
        made = await send(on.api, "POST", "/api/v1/pins", f'{{"cid": "{HERE}"}}')
        pin_id = made.json()["data"]["id"]
        end = f'"expires_at": "{time}"'
        for method, path, body in (
            ("POST", "/api/v1/pins", f'{{"cid": "{HERE}", {end}}}'),
            ("POST", f"/api/v1/pins/{HERE}", f"{{{end}}}"),
            ("PATCH", f"/api/v1/pins/{pin_id}", f"{{{end}}}"),
            ("POST", "/api/v1/pins/bulk/add", f'{{"pins": [{{"cid": "{HERE}", {end}}}]}}'),
            ("POST", "/api/v1/pins/bulk/renew", f'{{"ids": ["{pin_id}"], {end}}}'),
            ("POST", "/api/v1/tokens", f'{{"name": "a", "scopes": ["pins:read"], {end}}}'),
        ):
            refused(await send(on.api, method, path, body), 422)
        for path in ("/api/v1/pins?before=", "/api/v1/pins?after=", "/api/v1/audit?since=", "/api/v1/audit?before="):
            refused(await on.api.get(path + quote(time)), 422)
        for path in ("/psa/pins?before=", "/psa/pins?after="):
            refused(await on.api.get(path + quote(time)), 400)

    play(story)


def test_the_database_itself_refuses_what_could_never_be_read(tmp_path: Path, database_url: str) -> None:
    async def story(world: World) -> None:
        for what in ({"meta": {"a": "\ud800"}}, {"name": "\ud800"}):
            with pytest.raises(InvalidInput, match="surrogate"):
                await world.ask(CID.of(b"one"), **what)
        await world.ask(CID.of(b"one"), meta={"a": "😀"})

    in_a_world(tmp_path, database_url, story)


def test_an_unreadable_row_of_one_root_keeps_no_other_from_being_recorded(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        bad, good = CID.of(b"bad"), CID.of(b"good")
        spoilt = await world.ask(bad, meta={"a": "b"})
        whole = await world.ask(good)

        def spoil(session: Session) -> None:
            session.execute(text('UPDATE pins SET meta = \'{"a": "\\ud800"}\' WHERE id = :id'), {"id": spoilt.id})

        world.database.everybody.write_now(spoil)
        leases = await world.reconciler.lease(10)
        assert len(leases) == 2
        ends = await asyncio.gather(*(map(world.reconciler.carry_out, leases)), return_exceptions=True)
        assert sorted(end is None for end in ends) == [False, True]
        assert (await world.pins.get(world.me, whole.id)).status is RequestStatus.PINNED

    in_a_world(tmp_path, "", story)
