"""Where writes wait for a thread: those of one lane go together and in their order, lanes go side by side."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from pinfold.db.asks import Ask

MOST_TOGETHER: Final = 64
"""Writes in one transaction: beyond that the sync is no longer what they wait for."""


class Lanes:
    """Writes by lane.  A lane that a thread has taken from is nobody else's until it is ``released``."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Ask]] = {}
        self._free: deque[str] = deque()
        """Lanes with something in them that no thread works at, the longest waiting first."""
        self._busy: set[str] = set()
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
                    self._free.append(lane)
                    self._changed.notify()
            waiting.append(ask)
            return True

    def take(self) -> tuple[str, list[Ask]] | None:
        """The next lane and the first writes in it, once there are any; None when closed and empty."""
        with self._changed:
            while not self._free:
                if self._closed and not self._waiting:
                    return None
                self._changed.wait()
            lane = self._free.popleft()
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
            if lane in self._waiting:
                self._free.append(lane)
                self._changed.notify()
            elif self._closed and not self._waiting:
                self._changed.notify_all()

    def close(self) -> None:
        """Take nothing new; what waits is still given out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
