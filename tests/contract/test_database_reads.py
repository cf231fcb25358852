"""Reads share few threads and their sessions, and none of them minds the others."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.orm import Session

from pinfold.core.errors import StoreError
from pinfold.db import Database
from pinfold.db.models import PinRow
from pinfold.db.scope import OutOfScope, bound_to
from tests.support.rows import add_pin, names

PATIENCE_S = 30.0


def pins(session: Session) -> list[PinRow]:
    return list(session.scalars(select(PinRow).order_by(PinRow.name)))


def test_long_reads_do_not_hold_up_short_ones(database: Database, ours: str) -> None:
    go_on = threading.Event()

    def wait(session: Session) -> str:
        assert go_on.wait(PATIENCE_S)
        return "long"

    async def go() -> None:
        its = database.of(ours)
        before = [asyncio.create_task(its.read(names)) for _ in range(3)]
        long = [asyncio.create_task(its.read(wait)) for _ in range(len(database._readers))]
        short = [asyncio.create_task(its.read(names)) for _ in range(20)]
        async with asyncio.timeout(PATIENCE_S):
            assert await asyncio.gather(*before, *short) == [[]] * 23
        assert not any(one.done() for one in long)
        go_on.set()
        assert await asyncio.gather(*long) == ["long"] * len(long)

    asyncio.run(go())


def test_each_read_sees_what_is_committed_and_keeps_what_it_found(database: Database, ours: str, theirs: str) -> None:
    async def go() -> None:
        found = []
        for number in range(3):
            await database.of(ours).write(add_pin, f"pin {number}")
            found.append(await database.of(ours).read(pins))
        assert [[row.name for row in rows] for rows in found] == [
            ["pin 0"],
            ["pin 0", "pin 1"],
            ["pin 0", "pin 1", "pin 2"],
        ]
        assert all(inspect(row).detached for rows in found for row in rows)
        assert await database.of(theirs).read(pins) == []
        assert await database.of(ours).read(bound_to) == ours
        with pytest.raises(OutOfScope):
            await database.everybody.read(bound_to)

    asyncio.run(go())


def test_a_read_that_fails_leaves_the_next_ones_alone(database: Database, ours: str) -> None:
    def fail(session: Session) -> None:
        pins(session)
        session.execute(text("SELECT nothing FROM nowhere"))

    def write(session: Session) -> None:
        session.execute(text("DELETE FROM organisations"))

    async def go() -> None:
        await database.of(ours).write(add_pin, "kept")
        for wrong in (fail, write):
            with pytest.raises(Exception, match=r"nowhere|read-?only|text|bare"):
                await database.everybody.read(wrong)
            assert [row.name for row in await database.of(ours).read(pins)] == ["kept"]

    asyncio.run(go())


def test_a_closed_database_reads_no_more_and_answers_whoever_asked(database: Database, ours: str) -> None:
    async def go() -> None:
        asked = [asyncio.create_task(database.of(ours).read(names)) for _ in range(50)]
        await asyncio.sleep(0)  # so that they have asked
        await asyncio.to_thread(database.close)
        assert await asyncio.gather(*asked) == [[]] * 50
        with pytest.raises(StoreError, match="closed"):
            await database.of(ours).read(names)

    asyncio.run(go())
