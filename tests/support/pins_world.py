"""Pins over an engine in memory and a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from pinfold.core.cid import CID
from pinfold.db import Database
from pinfold.services.accounts import Caller, Scope
from pinfold.services.pins import CIDLocks, Expiry, PinRequest, PinsService, Reconciler, Tiers, Wanted
from pinfold.services.pins.bulk import BulkPins
from pinfold.services.pins.model import PinReport
from tests.support.memory_engine import MemoryEngine
from tests.support.platform import run
from tests.support.tenants import make_organisation

GRACE_S = 100.0


def caller_of(database: Database, slug: str = "default", plan: str = "unlimited") -> Caller:
    """Somebody who may do everything in the organisation of that slug, which is made where there is none."""
    organisation_id = database.everybody.write_now(make_organisation, slug, plan)
    return Caller("00000000-0000-0000-0000-000000000000", "test", organisation_id, frozenset(Scope))


class World:
    """A database, an engine, two organisations, and the services of pins."""

    def __init__(self, database_url: str) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.database = Database(database_url)
        self.engine = MemoryEngine()
        self.wakes = 0
        self.locks = CIDLocks()
        tiers = Tiers(self.engine, self.clock)
        self.pins = PinsService(self.database, tiers, self.wake, self.clock)
        self.bulk = BulkPins(self.database, tiers, self.wake, self.clock)
        self.expiry = Expiry(self.database, self.wake, grace_s=GRACE_S, clock=self.clock)
        self.reconciler = self.worker("me")
        self.me = caller_of(self.database)

    def worker(self, owner: str) -> Reconciler:
        return Reconciler(self.database, self.engine, self.locks, owner=owner, clock=self.clock)

    def clock(self) -> datetime:
        return self.now

    def wake(self) -> None:
        self.wakes += 1

    def other(self, plan: str = "unlimited") -> Caller:
        return caller_of(self.database, "other", plan)

    async def ask(self, cid: CID, name: str = "", caller: Caller | None = None, **what: Any) -> PinRequest:
        """A request for one copy."""
        wanted = Wanted(cid, name, replication_factor_min=1, replication_factor_max=1, **what)
        request, _ = await self.pins.ask(caller or self.me, wanted)
        return request

    async def report(self, cid: CID, caller: Caller | None = None) -> PinReport:
        return await self.pins.report(caller or self.me, cid)

    async def work(self) -> int:
        """Do all that is due; how many leases that took."""
        done = 0
        while leases := await self.reconciler.lease(10):
            for lease in leases:
                await self.reconciler.carry_out(lease)
                done += 1
        return done


Story: TypeAlias = Callable[[World], Coroutine[Any, Any, None]]
"""What a test does in a world."""


def in_a_world(folder: Path, database_url: str, story: Story) -> None:
    """Run ``story`` in a fresh world, on SQLite in ``folder`` where no other database is named."""

    async def tell() -> None:
        world = World(database_url or f"sqlite:///{folder}/platform.sqlite3")
        try:
            await story(world)
        finally:
            world.database.close()

    run(tell())
