from __future__ import annotations

import asyncio

import pytest

from pinfold.core.errors import NoPlaceForUpload
from pinfold.services.files.slots import Slots


def test_one_organisation_holds_at_most_half_and_others_get_in() -> None:
    async def go() -> None:
        slots = Slots(8)
        greedy = [asyncio.create_task(slots.acquire("greedy")) for _ in range(20)]
        await asyncio.sleep(0)  # they come first
        async with asyncio.timeout(5):
            for _ in range(4):
                await slots.acquire("other")
        assert sum(task.done() for task in greedy) == 4
        for _ in range(20):
            await asyncio.wait(greedy, return_when=asyncio.FIRST_COMPLETED)
            done = next(task for task in greedy if task.done())
            greedy.remove(done)
            slots.release("greedy")
        assert not greedy, "all of them got their turn"

    asyncio.run(go())


def test_all_organisations_together_hold_no_more_than_there_are() -> None:
    async def go() -> None:
        slots = Slots(4)
        for name in ("a", "a", "b", "b"):
            await slots.acquire(name)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slots.acquire("c"), 0.05)
        slots.release("a")
        await asyncio.wait_for(slots.acquire("c"), 5)

    asyncio.run(go())


def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    async def go() -> None:
        slots = Slots(1)
        await slots.acquire("a")
        waiting = [asyncio.create_task(slots.acquire(name)) for name in ("a", "b", "b")]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        slots.release("a")
        async with asyncio.timeout(5):
            for name in ("b", "a", "b"):
                await slots.acquire(name)
                slots.release(name)
        assert not slots._shares

    asyncio.run(go())


def test_who_would_wait_for_those_that_do_not_move_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.services.files.slots._PATIENCE_S", 0.02)

    async def go() -> None:
        slots = Slots(4)
        for _ in range(2):
            await slots.acquire("greedy")
        with pytest.raises(NoPlaceForUpload, match="your organisation has"):
            await slots.acquire("greedy")
        for _ in range(2):
            await slots.acquire("other")
        with pytest.raises(NoPlaceForUpload, match="there are"):
            await slots.acquire("third")
        for name in ("greedy", "greedy", "other", "other"):
            slots.release(name)
        await slots.acquire("greedy")
        slots.release("greedy")
        assert not slots._shares

    asyncio.run(go())


@pytest.mark.parametrize("how", ["bytes come", "the server is behind", "places are given back"])
def test_who_waits_for_those_that_move_is_patient(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr("pinfold.services.files.slots._PATIENCE_S", 0.02)

    async def go() -> None:
        slots = Slots(2)
        await slots.acquire("a")
        places = [asyncio.create_task(slots.acquire("a")) for _ in range(8)]
        for _ in range(7):
            if how == "bytes come":
                for _ in range(20):
                    await asyncio.sleep(0.001)
                    with slots.at_work("a", 64 << 10):
                        pass
            elif how == "the server is behind":
                with slots.at_work("a"):
                    await asyncio.sleep(0.05)
            else:
                await asyncio.sleep(0.01)
            slots.release("a")
            await asyncio.sleep(0)
        assert not any(task.done() and task.exception() for task in places)
        slots.release("a")
        await asyncio.gather(*places)

    asyncio.run(go())
