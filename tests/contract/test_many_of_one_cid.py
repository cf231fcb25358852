"""Thousands of requests for one CID: no step grows with all of them, and none keeps others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from pinfold.core.cid import CID
from pinfold.db import file_statistics, files, pins, wishes
from pinfold.db.files import NewFile
from pinfold.db.pin_lists import PinFilter
from pinfold.services.pins import RequestStatus, Wanted
from tests.support.pins_world import GRACE_S, Story, World, in_a_world

ROOT = CID.of(b"root")
OTHER = CID.of(b"other")

Play = Callable[[Story], None]


@pytest.fixture
def play(tmp_path: Path, database_url: str) -> Play:
    """Runs a test's coroutine in a fresh world."""
    return partial(in_a_world, tmp_path, database_url)


async def ask_often(world: World, count: int, **what: Any) -> list[str]:
    """The ids of so many requests for ``ROOT``, each by a name of its own."""
    wishes = [
        Wanted(ROOT, f"name {number}", replication_factor_min=1, replication_factor_max=1, **what)
        for number in range(count)
    ]
    return [one.id for one in await world.bulk.add(world.me, wishes) if one.id]


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(*said: Any) -> None:
        sent.append(said[2])

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)


def note_read(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The ids of requests that outcomes are written to, transaction by transaction, from here on."""
    read: list[list[str]] = []
    original = wishes.requests_to_change

    def noting(*args: Any) -> Any:
        rows = original(*args)
        read.append([row.id for row in rows])
        return rows

    monkeypatch.setattr(wishes, "requests_to_change", noting)
    return read


async def names_left(world: World) -> int:
    return (await world.pins.page(world.me, PinFilter(), 1000)).total


def test_removing_by_cid_takes_statements_for_lots_of_requests_and_not_for_each(play: Play) -> None:
    async def story(world: World) -> None:
        ids = await ask_often(world, 700)
        kept = await world.ask(OTHER)
        theirs = await world.ask(ROOT, caller=world.other())
        with statements(world) as sent:
            gone = await world.pins.remove_all(world.me, ROOT)
        assert sorted(gone) == sorted(ids)
        assert len(sent) < 100
        assert [one.id for one in (await world.pins.page(world.me, PinFilter(), 10)).requests] == [kept.id]
        assert await world.pins.get(world.other(), theirs.id)
        await world.work()
        assert ROOT in world.engine.kept  # somebody wants it still
        await world.pins.remove_all(world.other(), ROOT)
        await world.work()
        assert ROOT not in world.engine.kept

    play(story)


def test_while_many_requests_for_one_cid_are_removed_others_write_in_between(play: Play) -> None:
    async def story(world: World) -> None:
        await ask_often(world, 1600)
        ended: list[str] = []

        async def remove() -> None:
            await world.pins.remove_all(world.me, ROOT)
            ended.append("removal")

        async def ask() -> None:
            while await names_left(world) == 1600:
                await asyncio.sleep(0)
            await world.ask(OTHER)
            ended.append("request")

        await asyncio.gather(remove(), ask())
        assert ended == ["request", "removal"]
        assert await names_left(world) == 1

    play(story)


def test_a_look_at_a_root_that_many_requests_have_pinned_reads_only_those_that_change(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await ask_often(world, 300)
        await world.work()
        newest = await world.ask(ROOT, "newest")
        read = note_read(monkeypatch)
        await world.work()
        assert read == [[newest.id]]
        assert (await world.pins.get(world.me, newest.id)).status is RequestStatus.PINNED

    play(story)


def test_what_came_of_a_root_is_written_to_many_requests_in_lots(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        monkeypatch.setattr("pinfold.services.pins.recording._TOGETHER", 40)
        await ask_often(world, 100)
        read = note_read(monkeypatch)
        assert await world.work() == 1
        assert [len(ids) for ids in read] == [40, 40, 20]
        pinned = await world.pins.page(world.me, PinFilter(statuses=frozenset({RequestStatus.PINNED})), 1)
        assert pinned.total == 100
        assert await world.reconciler.lease(10) == []  # and the root is settled

    play(story)


def test_many_files_are_deleted_in_few_statements_and_uncounted(play: Play) -> None:
    async def story(world: World) -> None:
        cids = [CID.of(b"%d" % number) for number in range(300)]
        new = [
            NewFile(
                cid=str(cid),
                root=str(cid),
                name=f"file {number}",
                size_bytes=number,
                block_bytes=number,
                content_type=("text/plain", "image/png")[number % 2],
                profile="unixfs-v1-2025",
                tags=("kept",),
            )
            for number, cid in enumerate(cids)
        ]
        database = world.database.of(world.me.organisation_id)
        rows = await database.write(files.record, world.me.actor, new, None, world.now)
        ids = [file.id for file, *_ in rows]
        with statements(world) as sent:
            gone = await database.write(files.remove_many, world.me.actor, [*ids[1:], "nonsense"], world.now)
        assert gone == set(ids[1:])
        assert len(sent) < 50
        assert await database.read(file_statistics.totals) == (1, 0)
        assert await database.read(file_statistics.content_types, 10) == [("text/plain", 1, 0)]
        assert len(await database.read(pins.get_all, [pin.id for _, pin, _ in rows])) == 1

    play(story)


def test_many_requests_for_one_cid_expire_in_few_statements(play: Play) -> None:
    async def story(world: World) -> None:
        await ask_often(world, 400, expires_at=world.now + timedelta(days=1))
        world.now += timedelta(days=1, seconds=GRACE_S + 1)
        with statements(world) as sent:
            assert await world.expiry.run() == 400
        assert len(sent) < 100
        assert await names_left(world) == 0

    play(story)
