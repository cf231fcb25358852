"""What can be done with pin requests, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pinfold.core.cid import CID
from pinfold.core.errors import PinNotFound
from pinfold.db import Database, pin_lists, pins, roots, wishes
from pinfold.db.pin_lists import PinFilter
from pinfold.services.accounts import Caller
from pinfold.services.clock import Clock, require_to_come, utc_now
from pinfold.services.pins import changes, reporting
from pinfold.services.pins.asking import Asking
from pinfold.services.pins.changes import Asked
from pinfold.services.pins.model import PinReport, PinRequest, PinsPage, Progress, Wanted, root_of
from pinfold.services.pins.origins import check_origins
from pinfold.services.pins.tiers import Replication, Tiers

_TOGETHER: Final = 500  # requests removed in one transaction, so that others get in between


class PinsService:
    """Requests to keep CIDs.  Reads come from the database only, and say how old they are."""

    def __init__(
        self,
        database: Database,
        tiers: Tiers,
        wake_worker: Callable[[], None],
        clock: Clock = utc_now,
        *,
        allow_private_origins: bool = False,
    ) -> None:
        self._database = database
        self._tiers = tiers
        self._wake_worker = wake_worker
        self._clock = clock
        self._asking = Asking(database, clock)
        self._allow_private_origins = allow_private_origins

    # -- asking ------------------------------------------------------------------------------------------------------

    async def ask(self, caller: Caller, wanted: Wanted) -> tuple[PinRequest, bool]:
        """A request to keep a CID, accepted and queued, and whether it is new; the same name again is the same request.

        Raises:  ReplicationImpossible, QuotaExceeded, InvalidInput; AddressRefused for an origin.
        """
        self._check(wanted)
        asked = Asked(caller.actor, wanted, await self._choose(wanted))
        row, is_new = await self._asking.ask(caller.organisation_id, asked)
        self._wake_worker()
        return PinRequest.of_row(row), is_new

    async def add(self, caller: Caller, wanted: Wanted) -> PinRequest:
        """A request of its own, whatever others there are, as the Pinning Service API has it.  Raises: as ``ask``."""
        self._check(wanted)
        asked = Asked(caller.actor, wanted, await self._choose(wanted), is_always_new=True)
        row, _ = await self._asking.ask(caller.organisation_id, asked)
        self._wake_worker()
        return PinRequest.of_row(row)

    def _check(self, wanted: Wanted) -> None:
        require_to_come(wanted.expires_at, self._clock())
        check_origins(wanted.origins, allow_private=self._allow_private_origins)

    async def replace(self, caller: Caller, pin_id: str, wanted: Wanted) -> PinRequest:
        """A request in the place of another, whose content is kept until the new content is here.

        Raises:  PinNotFound, PinConflict for a file's request; ReplicationImpossible, InvalidInput; AddressRefused for
                 an origin.
        """
        self._check(wanted)
        replication = await self._choose(wanted)
        database = self._database.of(caller.organisation_id)
        row = await database.write(changes.replace, caller.actor, pin_id, wanted, replication, self._clock())
        self._wake_worker()
        return PinRequest.of_row(row)

    async def change(self, caller: Caller, pin_id: str, values: Mapping[str, Any]) -> PinRequest:
        """A request with some values changed, by the names of ``Wanted``; it is looked at afresh.

        Raises:  PinNotFound, PinConflict for a file's request; ReplicationImpossible, InvalidInput; AddressRefused for
                 an origin.
        """
        changed = dict(values)
        require_to_come(changed.get("expires_at"), self._clock())
        check_origins(changed.get("origins", ()), allow_private=self._allow_private_origins)
        if {"tier", "replication_factor_min", "replication_factor_max"} & changed.keys():
            chosen = await self._tiers.choose(
                changed.pop("tier", None),
                changed.pop("replication_factor_min", None),
                changed.pop("replication_factor_max", None),
            )
            changed.update(
                tier=chosen.tier, replication_factor_min=chosen.factor_min, replication_factor_max=chosen.factor_max
            )
        database = self._database.of(caller.organisation_id)
        row = await database.write(changes.edit, caller.actor, pin_id, changed, self._clock())
        self._wake_worker()
        return PinRequest.of_row(row)

    async def remove(self, caller: Caller, pin_id: str) -> None:
        """Forget a request; its content is let go of where nobody else wants it.  Raises: PinNotFound, PinConflict."""
        database = self._database.of(caller.organisation_id)
        await database.give_back(changes.remove, caller.actor, pin_id, self._clock())
        self._wake_worker()

    async def remove_all(self, caller: Caller, cid: CID) -> list[str]:
        """Forget every request of the caller's organisation for a CID that no file made; their ids.

        Some hundred at a time, so that others get in between: killed half-way, it has removed the oldest, and repeated
        it removes the rest.  Raises: PinNotFound, where there is none; PinConflict, where there are only files'.
        """
        database = self._database.of(caller.organisation_id)
        ids = await database.read(changes.own_ids, cid)
        gone: list[str] = []
        try:
            for start in range(0, len(ids), _TOGETHER):
                part = ids[start : start + _TOGETHER]
                gone += await database.give_back(changes.remove_those, caller.actor, part, self._clock())
        finally:
            self._wake_worker()
        if not gone:  # somebody else removed them just now
            raise changes.nobody_names(cid)
        return gone

    async def _choose(self, wanted: Wanted) -> Replication:
        return await self._tiers.choose(wanted.tier, wanted.replication_factor_min, wanted.replication_factor_max)

    # -- looking -----------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, pin_id: str) -> PinRequest:
        """One request.  Raises: PinNotFound."""
        row = await self._database.of(caller.organisation_id).read(pins.get, pin_id)
        if row is None:
            raise PinNotFound(f"there is no pin request {pin_id}", hint="Look for its id in the list of pin requests.")
        return PinRequest.of_row(row)

    async def get_newest(self, caller: Caller, cid: CID) -> PinRequest:
        """The newest request for a CID, a file's included.  Raises: PinNotFound."""
        row = await self._database.of(caller.organisation_id).read(pins.newest_of_root, root_of(cid))
        if row is None:
            raise _nobody_asked(cid)
        return PinRequest.of_row(row)

    async def page(
        self, caller: Caller, wanted: PinFilter, limit: int, *, offset: int = 0, cursor: datetime | None = None
    ) -> PinsPage:
        """Some of the requests that a filter lets through: those before ``cursor``, or after the first ``offset``."""
        database = self._database.of(caller.organisation_id)
        found = await database.read(pin_lists.page, wanted, limit, offset=offset, cursor=cursor)
        return PinsPage(tuple(map(PinRequest.of_row, found.rows)), found.total, found.is_exact, found.has_more)

    async def progress(self, cids: Sequence[CID]) -> dict[CID, Progress]:
        """How far the content of CIDs that the caller waits for has come, by CIDv1, where something is known.

        Of one that is complete already nothing is returned: then it is other tenants', and so is its size.
        """
        rows = await self._database.everybody.read(roots.of_roots, sorted({root_of(cid) for cid in cids}))
        return {
            CID.parse(row.root): Progress(row.fetched_blocks, row.fetched_bytes, None, row.updated_at)
            for row in rows
            if row.fetched_bytes != row.size_bytes
        }

    async def report(self, caller: Caller, cid: CID) -> PinReport:
        """How ``cid`` stands.  Raises: PinNotFound where no request of the caller's organisation names it."""
        seen = await self._database.of(caller.organisation_id).read(reporting.look, root_of(cid))
        if not seen.asked:
            raise _nobody_asked(cid)
        is_own = seen.has_a_share
        if is_own and not seen.is_proven:  # then copies may be other tenants'
            is_own = not await self._database.everybody.read(wishes.is_held, root_of(cid))
        return reporting.report_of(cid, seen if is_own else seen.without_copies())


def _nobody_asked(cid: CID) -> PinNotFound:
    return PinNotFound(f"no file and no pin request names {cid}", hint="Add a pin for it first.")
