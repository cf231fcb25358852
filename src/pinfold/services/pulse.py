"""Signs of life of the loops of this process: one that is stuck is told from one that has nothing to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from pinfold.telemetry import fields, logger, metrics

log = logger("services")

STUCK_AFTER_S: Final = 60.0
"""Every loop goes round within seconds; a database or disk that is slow for a while makes it a few more."""


class Pulse:
    """The beat of one loop, which calls ``beat`` each time it goes round, whether there is work or not."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._clock = clock
        self._beat_at = clock()

    def beat(self) -> None:
        """Say that the loop goes round."""
        self._beat_at = self._clock()

    def silent_s(self) -> float:
        """Seconds since the last beat."""
        return self._clock() - self._beat_at


class _Loop(NamedTuple):
    part: str
    task: asyncio.Task[None]
    pulse: Pulse


class Loops:
    """The loops that run in this process."""

    def __init__(self) -> None:
        self._loops: list[_Loop] = []

    def watch(self, part: str, task: asyncio.Task[None], pulse: Pulse) -> None:
        """Look after a loop that was begun, and belongs to ``part``.  Should it fail, the log says so at once."""
        self._loops.append(_Loop(part, task, pulse))
        metrics.LOOP_SILENCE.labels(pulse.name).set_function(pulse.silent_s)  # of loops that run here, and no others
        task.add_done_callback(lambda ended: _tell(ended, pulse.name))

    def check(self) -> dict[str, str]:
        """Per part ``ok``, or a sentence about the loops of it that have ended or are stuck."""
        return {
            part: "; ".join(filter(None, (_wrong(loop) for loop in self._loops if loop.part == part))) or "ok"
            for part in dict.fromkeys(loop.part for loop in self._loops)
        }


def _wrong(loop: _Loop) -> str:
    if loop.task.done():
        return f"the loop of {loop.pulse.name} has ended"
    silent_s = loop.pulse.silent_s()
    return f"the loop of {loop.pulse.name} has been stuck for {silent_s:.0f} s" if silent_s > STUCK_AFTER_S else ""


def _tell(task: asyncio.Task[None], name: str) -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        log.error("a loop has ended", exc_info=exc, **{fields.LOOP: name, fields.ERROR: repr(exc)})
