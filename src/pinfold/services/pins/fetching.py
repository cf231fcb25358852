"""While content is fetched: requests say so, progress is kept, and what nobody wants any more is not gone on with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import update
from sqlalchemy.orm import Session

from pinfold.db import Database, roots, wishes
from pinfold.db.models import PinRow
from pinfold.db.session import DATABASE_FAILURES
from pinfold.engine import Content
from pinfold.services.clock import Clock
from pinfold.services.pins.model import RequestStatus
from pinfold.telemetry import fields, logger

log = logger("services.pins")

LOOK_S: Final = 1.0


class Fetching:
    """One fetch under way."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.stop = threading.Event()
        self.is_unwanted = False
        self._latest: Content | None = None
        self._noted: Content | None = None

    def tell(self, content: Content) -> None:
        """How much is here now; called in any thread."""
        self._latest = content

    async def watch(self, database: Database, clock: Clock) -> None:
        """Note progress until cancelled; stop the fetch when nobody wants it any more."""
        while True:
            await asyncio.sleep(LOOK_S)
            latest = self._latest
            try:
                if latest is None or latest == self._noted:
                    wanted = await database.everybody.read(wishes.is_wanted, self.root)
                else:
                    wanted = await database.everybody.write(_note, self.root, latest, clock())
                    self._noted = latest
            except DATABASE_FAILURES as exc:  # progress is a courtesy
                log.warning("cannot note progress", **{fields.CID: self.root, fields.ERROR: repr(exc)})
                continue
            if not wanted:
                self.is_unwanted = True
                self.stop.set()


@asynccontextmanager
async def fetching(database: Database, clock: Clock, root: str) -> AsyncIterator[Fetching]:
    """A fetch that is watched; whoever leaves early stops it."""
    await database.everybody.write(_begin, root, clock())
    fetch = Fetching(root)
    watcher = asyncio.create_task(fetch.watch(database, clock))
    try:
        yield fetch
    finally:
        fetch.stop.set()
        watcher.cancel()
        await asyncio.wait([watcher])


def _begin(session: Session, root: str, now: datetime) -> None:
    session.execute(
        update(PinRow)
        .where(PinRow.root == root, PinRow.status == RequestStatus.QUEUED)
        .values(status=RequestStatus.PINNING, updated_at=now)
        .execution_options(synchronize_session=False)
    )


def _note(session: Session, root: str, content: Content, now: datetime) -> bool:
    roots.set_progress(session, root, content.blocks, content.bytes, now)
    return wishes.is_wanted(session, root)
