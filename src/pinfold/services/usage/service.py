"""What an organisation can know of its usage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import FileRecordNotFound, InvalidInput, PinNotFound, RecordNotFound
from pinfold.db import Database, changes, files, usage
from pinfold.db.models import UsageDayRow
from pinfold.node import Node
from pinfold.node.footprint import freed
from pinfold.services.accounts import Caller
from pinfold.services.clock import Clock, utc_now
from pinfold.services.threads import Threads
from pinfold.services.usage.measure import Measurer
from pinfold.services.usage.model import Day, Done, Kept, Limits, Total, WouldFree

MOST_DAYS: Final = 366
DEFAULT_DAYS: Final = 30
_NOTHING_DONE: Final = Done(0, 0, 0, 0, 0)


class UsageService:
    """Usage of one organisation, as its members may see it."""

    def __init__(
        self,
        database: Database,
        node: Node,
        threads: Threads,
        measurer: Measurer,
        *,
        pin_name: str,
        clock: Clock = utc_now,
    ) -> None:
        """``pin_name`` is borne by the node's pins that this platform made."""
        self._database = database
        self._node = node
        self._threads = threads
        self._measurer = measurer
        self._pin_name = pin_name
        self._clock = clock

    async def days(self, caller: Caller, first: date | None = None, last: date | None = None) -> list[Day]:
        """The days from ``first`` to ``last``, those of which something is known, the oldest first; today as it is now.

        Without them, the last 30.  Raises: InvalidInput, where they are in disorder or too far apart.
        """
        today = self._clock().date()
        last = last or today
        if first is None:
            # Days before the first one of the calendar cannot be spoken of.
            first = last - min(timedelta(days=DEFAULT_DAYS - 1), last - date.min)
        if first > last:
            raise InvalidInput("`from` is a day after `to`")
        if (last - first).days >= MOST_DAYS:
            raise InvalidInput(f"at most {MOST_DAYS} days can be asked for at once")
        return await self._database.of(caller.organisation_id).read(_days, first, last, today)

    async def total(self, caller: Caller) -> Total:
        """What is kept now, all that was done ever, and the quota."""
        return await self._database.of(caller.organisation_id).read(_total, caller.organisation_id)

    async def measure(self) -> datetime:
        """Have unique and shared bytes counted now; when they were."""
        return await self._measurer.measure()

    async def would_free(
        self,
        caller: Caller,
        *,
        file_ids: Sequence[str] = (),
        pin_ids: Sequence[str] = (),
        cids: Sequence[CID] = (),
    ) -> WouldFree:
        """What deleting these files and pin requests, and all of the organisation's with these CIDs, would give back.

        Raises:  FileRecordNotFound, PinNotFound for what the organisation does not have.
        """
        roots = [str(cid.to_v1()) for cid in cids]
        going = await self._database.of(caller.organisation_id).read(
            _going, list(dict.fromkeys(file_ids)), list(dict.fromkeys(pin_ids)), list(dict.fromkeys(roots))
        )
        named = sorted(set(going.roots.values()))
        beside = await self._database.of(caller.organisation_id).read(usage.roots_beside, going.roots.keys())
        released = [root for root in named if root not in beside]
        weight = await self._threads.run(
            lambda: freed(self._node.store, released, beside=beside, only_named=self._pin_name)
        )
        return WouldFree(
            logical_bytes=going.logical_bytes,
            freed_bytes=weight.bytes,
            freed_blocks=weight.blocks,
            roots=len(named),
            roots_still_needed=len(named) - len(released),
        )


def _days(session: Session, first: date, last: date, today: date) -> list[Day]:
    rows = usage.days(session, first, last)
    days = [Day(row.day, _kept(row), _done(row)) for row in rows if row.day != today]
    if first <= today <= last:
        row = next((row for row in rows if row.day == today), None)
        now = Day(today, _kept_now(session), _done(row) if row else _NOTHING_DONE)
        days = sorted([*days, now], key=lambda day: day.day)
    return days


def _total(session: Session, organisation_id: str) -> Total:
    totals = usage.totals(session)
    if totals is None:
        raise RecordNotFound("this organisation is not there any more")
    quota = changes.quota_of(session, organisation_id)
    limits = Limits(
        bytes=quota.bytes,
        files=quota.files,
        pins=quota.pins,
        requests_per_day=quota.requests_per_day,
        reserved_bytes=totals.reserved_bytes,
        reserved_files=totals.reserved_files,
    )
    return Total(_kept_now(session), Done(**usage.ever(session)), limits)


def _kept_now(session: Session) -> Kept:
    """Counters as they are, and bytes as they were measured last."""
    totals, measured = usage.totals(session), usage.last_measured(session)
    return Kept(
        files=totals.files if totals else 0,
        pins=totals.pins if totals else 0,
        logical_bytes=totals.logical_bytes if totals else 0,
        unique_bytes=measured.unique_bytes if measured else None,
        shared_bytes=measured.shared_bytes if measured else None,
        measured_at=measured.measured_at if measured else None,
    )


def _kept(row: UsageDayRow) -> Kept:
    unique, shared = (None, None) if row.measured_at is None else (row.unique_bytes, row.shared_bytes)
    return Kept(row.files, row.pins, row.logical_bytes, unique, shared, row.measured_at)


def _done(row: UsageDayRow) -> Done:
    return Done(**{name: getattr(row, name) for name in usage.COUNTED})


class _Going(NamedTuple):
    """Pin requests that would be deleted, those of files too."""

    roots: dict[str, str]
    """Pin id -> its root."""
    logical_bytes: int
    """What they count: a request by itself, the files with one content together, once the last of them goes."""


def _going(session: Session, file_ids: list[str], pin_ids: list[str], roots: list[str]) -> _Going:
    root_of: dict[str, str] = {}
    counted: dict[str, int] = {}
    of_files: dict[str, int] = {}  # by root
    files_named = usage.pins_of_files(session, file_ids)
    for file_id in file_ids:
        if file_id not in files_named:
            raise FileRecordNotFound(f"there is no file {file_id[:64]}")
        pin_id, root, size = files_named[file_id]
        root_of[pin_id], of_files[root] = root, size
    pins = usage.pins_by_id(session, pin_ids)
    for pin_id in pin_ids:
        if pin_id not in pins:
            raise PinNotFound(f"there is no pin request {pin_id[:64]}")
        root_of[pin_id], counted[pin_id] = pins[pin_id]
    of_roots = usage.pins_of_roots(session, roots)
    for root in roots:
        if root not in of_roots:
            raise PinNotFound(f"no file and no pin has the CID {root}")
        for pin_id, size, file_size in of_roots[root]:
            root_of[pin_id], counted[pin_id] = root, size
            if file_size is not None:
                of_files[root] = file_size
    left = files.roots_with_files(session, list(of_files), without=root_of.keys())
    freed_by_files = sum(size for root, size in of_files.items() if root not in left)
    return _Going(root_of, sum(counted.values()) + freed_by_files)
