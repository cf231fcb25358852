"""A query that somebody waits for, and how its outcome gets from a thread to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from sqlalchemy.orm import Session


class Ask:
    """One query, for one organisation or everybody; its outcome is told once, by ``tell``."""

    __slots__ = ("error", "gives_back", "loop", "organisation_id", "query", "result", "tries", "waiting")

    def __init__(
        self,
        organisation_id: str,
        query: Callable[[Session], Any],
        waiting: asyncio.Future[Any] | Future[Any],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.organisation_id = organisation_id
        self.query = query
        self.waiting = waiting
        self.loop = loop
        """Where ``waiting`` is a future of asyncio."""
        self.result: Any = None
        self.error: BaseException | None = None
        self.tries = 0
        self.gives_back = False
        """Whether it is a delete, which may use the last room of the disk."""

    @property
    def is_given_up(self) -> bool:
        """Whether nobody waits any more."""
        return self.waiting.done()


def tell(asks: Iterable[Ask]) -> None:
    """Give everybody their outcome.  An event loop is woken once, however many of its callers wait."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Ask]] = {}
    for ask in asks:
        if ask.loop is None:
            _settle(ask)
        else:
            by_loop.setdefault(ask.loop, []).append(ask)
    for loop, its in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_all, its)
        except RuntimeError:  # the loop is closed: nobody waits there any more
            pass


def _settle_all(asks: list[Ask]) -> None:
    for ask in asks:
        _settle(ask)


def _settle(ask: Ask) -> None:
    if ask.waiting.done():  # cancelled meanwhile; what was written stays written
        return
    if ask.error is not None:
        ask.waiting.set_exception(ask.error)
    else:
        ask.waiting.set_result(ask.result)
