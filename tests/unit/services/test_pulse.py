from __future__ import annotations

import asyncio

import pytest

from pinfold.services.pulse import STUCK_AFTER_S, Loops, Pulse
from pinfold.telemetry import metrics
from tests.support.platform import run


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def silence(name: str) -> float:
    """What ``/metrics`` would say."""
    found = metrics.REGISTRY.get_sample_value("pinfold_loop_silent_seconds", {"loop": name})
    assert found is not None
    return found


async def endless() -> None:
    await asyncio.Event().wait()


def test_a_loop_is_well_as_long_as_it_beats() -> None:
    async def go() -> None:
        clock, loops = Clock(), Loops()
        pulse = Pulse("pins", clock)
        task = asyncio.create_task(endless())
        loops.watch("worker", task, pulse)
        clock.now += STUCK_AFTER_S
        assert loops.check() == {"worker": "ok"}
        clock.now += 15
        assert loops.check() == {"worker": "the loop of pins has been stuck for 75 s"}
        assert silence("pins") == 75
        pulse.beat()
        assert loops.check() == {"worker": "ok"}
        assert silence("pins") == 0
        task.cancel()

    run(go())


def test_each_part_tells_of_all_its_loops_that_have_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("a bug")

    async def go() -> None:
        loops = Loops()
        tasks = [asyncio.create_task(work) for work in (fail(), endless(), endless())]
        for part, name, task in zip(("worker", "worker", "counts"), ("pins", "webhooks", "counts"), tasks, strict=True):
            loops.watch(part, task, Pulse(name))
        await asyncio.wait(tasks[:1])
        assert loops.check() == {"worker": "the loop of pins has ended", "counts": "ok"}
        tasks[1].cancel()
        await asyncio.wait(tasks[:2])
        assert loops.check()["worker"] == "the loop of pins has ended; the loop of webhooks has ended"
        tasks[2].cancel()

    run(go())


def test_a_process_without_loops_says_nothing_of_them() -> None:
    assert Loops().check() == {}
