"""All organisations' pin requests, as whoever looks after the server sees them, and what they do about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput, PinConflict, PinNotFound
from pinfold.db import Database, files, organisations, pin_lists, pins
from pinfold.db import changes as db_changes
from pinfold.db.changes import Actor
from pinfold.db.models import PinRow
from pinfold.db.pin_lists import PinFilter
from pinfold.services.accounts import Caller, Scope
from pinfold.services.accounts.records import Organisation
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pins import changes, reporting
from pinfold.services.pins.model import PinReport, PinRequest, root_of

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PAGE: Final = 500
_LISTED: Final = "`pinfold pin requests --files` lists those that are."


class Owned(NamedTuple):
    """A request, and whose it is."""

    organisation: str
    """The slug."""
    request: PinRequest


class Oversight:
    """Requests of everybody.  Nobody is woken by a change: a worker looks by itself."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def newest(self, caller: Caller, whose: Iterable[Organisation], wanted: PinFilter, limit: int) -> list[Owned]:
        """The ``limit`` newest requests of these organisations that a filter lets through.  Raises: Forbidden."""
        caller.require(Scope.SERVER_ADMIN)
        found: list[Owned] = []
        for organisation in whose:
            if len(found) == limit:  # what is older than all of them is not among the newest
                wanted = replace(wanted, after=found[-1].request.created_at)
            found += await self._newest_of(organisation, wanted, limit)
            found.sort(key=lambda one: one.request.created_at, reverse=True)
            del found[limit:]
        return found

    async def _newest_of(self, organisation: Organisation, wanted: PinFilter, limit: int) -> list[Owned]:
        database = self._database.of(organisation.id)
        found: list[Owned] = []
        cursor: datetime | None = None
        while len(found) < limit:
            page = await database.read(pin_lists.page, wanted, min(_PAGE, limit - len(found)), cursor=cursor)
            found += [Owned(organisation.slug, PinRequest.of_row(row)) for row in page.rows]
            if not page.has_more:
                break
            cursor = page.rows[-1].created_at
        return found

    async def report(self, caller: Caller, cid: CID) -> tuple[PinReport, list[Owned]]:
        """How ``cid`` stands for all who ask, and who that is, oldest first.

        Raises:  Forbidden; PinNotFound, where nobody asks.
        """
        caller.require(Scope.SERVER_ADMIN)
        seen, asked = await self._database.everybody.read(_look, root_of(cid))
        if not asked:
            raise _nobody_asked(cid)
        return reporting.report_of(cid, seen), asked

    async def retry(self, caller: Caller, key: str) -> tuple[list[Owned], list[Owned]]:
        """The requests of an id or a CID that had failed and are tried afresh now, and those left as they are.

        One that a quota stopped is tried as well, and what uploads asked for.
        Raises:  Forbidden, InvalidCID; PinNotFound, where there is none.
        """
        caller.require(Scope.SERVER_ADMIN)
        pin_id, root = (key, "") if _ID.fullmatch(key) else (None, root_of(CID.parse(key)))
        asked = await self._database.everybody.read(_of_key, pin_id, root)
        if not asked:
            raise _no_request(pin_id) if pin_id else _nobody_asked(CID.parse(key))
        tried: set[str] = set()
        for organisation_id, rows in groupby(sorted(asked, key=_owner), key=_owner):
            database = self._database.of(organisation_id)
            tried |= await database.write(_retry, caller.actor, [row.id for row in rows], self._clock())
        told = await self._database.everybody.read(_told, pin_id, root)
        return [one for one in told if one.request.id in tried], [one for one in told if one.request.id not in tried]

    async def forget(self, caller: Caller, pin_id: str) -> PinRequest:
        """A request of the caller's organisation that is gone now, let go of where nobody else wants its content.

        Raises:  Forbidden, InvalidInput, PinNotFound; PinConflict for a file's request.
        """
        caller.require(Scope.SERVER_ADMIN)
        if not _ID.fullmatch(pin_id):
            raise InvalidInput(f"{pin_id!r} is no id of a pin request", hint="`pinfold pin requests` shows the ids.")
        database = self._database.of(caller.organisation_id)
        return PinRequest.of_row(await database.write(_forget, caller.actor, pin_id, self._clock()))


def _no_request(pin_id: str) -> PinNotFound:
    return PinNotFound(f"there is no pin request {pin_id}", hint=_LISTED)


def _nobody_asked(cid: CID) -> PinNotFound:
    return PinNotFound(f"no file and no pin request of any organisation names {cid}", hint=_LISTED)


def _owner(row: PinRow) -> str:
    return row.organisation_id


def _owned(session: Session, rows: Sequence[PinRow]) -> list[Owned]:
    slugs = organisations.slugs(session, {row.organisation_id for row in rows})
    return [Owned(slugs.get(row.organisation_id, row.organisation_id), PinRequest.of_row(row)) for row in rows]


def _look(session: Session, root: str) -> tuple[reporting.Seen, list[Owned]]:
    seen = reporting.look(session, root)
    return seen, _owned(session, seen.asked)


def _of_key(session: Session, pin_id: str | None, root: str) -> Sequence[PinRow]:
    if pin_id is None:
        return pins.of_root(session, root)
    row = pins.get(session, pin_id)
    return [] if row is None else [row]


def _told(session: Session, pin_id: str | None, root: str) -> list[Owned]:
    return _owned(session, _of_key(session, pin_id, root))


def _retry(session: Session, actor: Actor, pin_ids: Sequence[str], now: datetime) -> set[str]:
    change = db_changes.begin(session, actor, now)
    failed = [row for row in pins.get_all(session, pin_ids).values() if row.status == "failed"]
    for row in failed:
        change.audit("pin.retried", row.id, cid=row.cid)
        pins.ask_again(session, row, now)
    return {row.id for row in failed}


def _forget(session: Session, actor: Actor, pin_id: str, now: datetime) -> PinRow:
    change = db_changes.begin(session, actor, now)
    row = pins.get(session, pin_id)
    if row is None:
        raise PinNotFound(
            f"this organisation has no pin request {pin_id}", hint="`pinfold pin requests` says whose it is."
        )
    if row.of_file:
        slug = organisations.slugs(session, [row.organisation_id])[row.organisation_id]
        command = f"pinfold file rm --org {slug} {files.id_of_pin(session, pin_id)}"
        raise PinConflict(
            f"the pin request {pin_id} belongs to a file",
            hint=f"Delete the file, and its request goes with it: `{command}`.",
        )
    changes.drop(session, change, row)
    return row
