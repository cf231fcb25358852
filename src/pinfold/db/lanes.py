"""Where writes wait for a thread: those of one lane go together and in their order, lanes go side by side.

Somebody waits for most writes.  Those of workers are in a lane that is patient: it has its turn when there has been
nothing else for a moment, and ten times a second whatever there is.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

from pinfold.db.asks import Ask

MOST_TOGETHER: Final = 64
"""Writes in one transaction: beyond that the sync is no longer what they wait for."""
PATIENT: Final = "*patient"
PATIENCE_S: Final = 0.1
PAUSE_S: Final = 0.02  # after the last of the others: where many ask, the next ones are on their way


class Lanes:
    """Writes by lane.  A lane that a thread has taken from is nobody else's until it is ``released``."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Ask]] = {}
        self._free: deque[str] = deque()
        """Lanes with something in them that no thread works at, the longest waiting first."""
        self._busy: set[str] = set()
        self._patient_since = 0.0
        """When the patient lane began to wait, by the monotonic clock."""
        self._others_ended = 0.0
        """When a write of another lane ended last."""
        self._closed = False

    def put(self, lane: str, ask: Ask) -> bool:
        """Whether it waits now; False after ``close``."""
        with self._changed:
            if self._closed:
                return False
            waiting = self._waiting.get(lane)
            if waiting is None:
                waiting = self._waiting[lane] = deque()
                if lane not in self._busy:
                    self._free_up(lane)
            waiting.append(ask)
            return True

    def take(self) -> tuple[str, list[Ask]] | None:
        """The next lane and the first writes in it, once there are any; None when closed and empty."""
        with self._changed:
            while True:
                lane, wait_s = self._next()
                if lane is not None:
                    break
                if self._closed and not self._waiting:
                    return None
                self._changed.wait(wait_s)
            waiting = self._waiting[lane]
            taken = [waiting.popleft() for _ in range(min(MOST_TOGETHER, len(waiting)))]
            if not waiting:
                del self._waiting[lane]
            self._busy.add(lane)
            return lane, taken

    def release(self, lane: str) -> None:
        """Let others take from a lane again."""
        with self._changed:
            self._busy.discard(lane)
            if lane != PATIENT:
                self._others_ended = time.monotonic()
            if lane in self._waiting:
                self._free_up(lane)
            elif self._closed and not self._waiting:
                self._changed.notify_all()

    def close(self) -> None:
        """Take nothing new; what waits is still given out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _free_up(self, lane: str) -> None:
        if lane == PATIENT:
            self._patient_since = time.monotonic()
        self._free.append(lane)
        self._changed.notify()

    def _next(self) -> tuple[str | None, float | None]:
        """The lane whose turn it is, not free any more; where there is none, the seconds until there may be one."""
        if PATIENT not in self._free:
            return (self._free.popleft() if self._free else None), None
        wait_s = self._patient_since + PATIENCE_S - time.monotonic()
        if len(self._free) == 1 and not self._busy:
            wait_s = min(wait_s, self._others_ended + PAUSE_S - time.monotonic())
        if wait_s <= 0 or self._closed:
            self._free.remove(PATIENT)
            return PATIENT, None
        lane = next((lane for lane in self._free if lane != PATIENT), None)
        if lane is not None:
            self._free.remove(lane)
        return lane, wait_s
