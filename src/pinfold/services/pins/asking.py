"""Requests for pins that come at the same time share a transaction: most of what one costs, thirty cost as well.

While the requests of an organisation are being written, those that come gather, and are written next, all together.  So
one by itself waits for nobody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pinfold.core.errors import InvalidInput
from pinfold.db import Database
from pinfold.db.models import PinRow
from pinfold.services.clock import Clock
from pinfold.services.pins import changes
from pinfold.services.pins.changes import Answered, Asked


@dataclass(slots=True)
class _Group:
    """Requests of one organisation that are written together."""

    asked: list[Asked] = field(default_factory=list)
    writing: asyncio.Task[list[Answered] | None] | None = None


class Asking:
    """Writes requests for pins."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._gathering: dict[str, _Group] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def ask(self, organisation_id: str, asked: Asked) -> tuple[PinRow, bool]:
        """The request, durable, and whether it is new.  Raises: QuotaExceeded, and what the database raises."""
        group = self._gathering.get(organisation_id)
        if group is None:
            group = self._gathering[organisation_id] = _Group()
            group.writing = asyncio.create_task(self._write(organisation_id, group))
        assert group.writing is not None
        place = len(group.asked)
        group.asked.append(asked)
        answers = await asyncio.shield(group.writing)
        if answers is None:  # somebody's cannot be written: everybody for themselves
            (answer,) = await self._database.of(organisation_id).write(changes.ask_all, [asked], self._clock())
        else:
            answer = answers[place]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _write(self, organisation_id: str, group: _Group) -> list[Answered] | None:
        turn = self._turns.setdefault(organisation_id, asyncio.Lock())
        async with turn:
            del self._gathering[organisation_id]  # whoever comes now waits for the next one
            try:
                return await self._database.of(organisation_id).write(changes.ask_all, group.asked, self._clock())
            except (ValueError, InvalidInput, SQLAlchemyError) as exc:
                if len(group.asked) == 1 or isinstance(exc, OperationalError):
                    raise
                return None
            finally:
                if organisation_id not in self._gathering:
                    del self._turns[organisation_id]
