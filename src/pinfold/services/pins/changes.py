"""What a change of pin requests does in the database: one function a transaction, run for one organisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import PinConflict, PinNotFound, QuotaExceeded
from pinfold.db import changes, pins, reconciliations
from pinfold.db.changes import Actor, Change
from pinfold.db.models import PinRow
from pinfold.services.pins.model import Wanted, root_of
from pinfold.services.pins.tiers import Replication


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish that may be carried out, how many copies it wants, and who asks."""

    actor: Actor
    wanted: Wanted
    replication: Replication
    is_always_new: bool = False
    """Whether it is a request of its own, whatever others there are."""


Answered = tuple[PinRow, bool] | QuotaExceeded
"""The request and whether it is new, or why there is none."""


def ask_all(session: Session, asked: Sequence[Asked], now: datetime) -> list[Answered]:
    """For each the request for its CID by its name, as wanted now and looked at afresh; together for many callers."""
    keys = [(root_of(one.wanted.cid), one.wanted.name) for one in asked]
    there = pins.all_named(session, [key for key, one in zip(keys, asked, strict=True) if not one.is_always_new])
    new: list[PinRow] = []
    due: dict[str, int] = {}
    answers: list[Answered] = []
    for key, one in zip(keys, asked, strict=True):
        change = changes.begin(session, one.actor, now)
        row = None if one.is_always_new else there.get(key)
        if row is None:
            try:
                change.require_room(pins=1)
            except QuotaExceeded as exc:
                answers.append(exc)
                continue
            row = there[key] = row_of(change, one.wanted, one.replication)
            new.append(row)
            change.count(pins=1)
            change.audit("pin.created", row.id, cid=row.cid)
            change.tell("pin.created", told(row))
            answers.append((row, True))
        else:
            if not inspect(row).persistent:  # asked for twice at the same time
                pins.insert_all(session, new)
                new = []
                row = there[key] = own(session, row.id)
            renew(session, change, row, one.wanted, one.replication)
            answers.append((row, False))
        due[row.root] = max(due.get(row.root, 0), row.priority)
    pins.insert_all(session, new)
    session.flush()
    reconciliations.mark_all_due(session, due, now)
    return answers


def row_of(change: Change, wanted: Wanted, replication: Replication) -> PinRow:
    """The row of a new request, which is in no database yet."""
    return pins.new_row(
        change,
        cid=str(wanted.cid),
        root=root_of(wanted.cid),
        name=wanted.name,
        tier=replication.tier,
        replication_factor_min=replication.factor_min,
        replication_factor_max=replication.factor_max,
        priority=wanted.priority,
        meta=wanted.meta,
        origins=wanted.origins,
        expires_at=wanted.expires_at,
    )


def renew(session: Session, change: Change, row: PinRow, wanted: Wanted, replication: Replication) -> None:
    """Give a request what is wanted now; its root is yet to be marked as due."""
    row.tier = replication.tier
    row.replication_factor_min, row.replication_factor_max = replication.factor_min, replication.factor_max
    row.priority = wanted.priority
    row.expires_at = wanted.expires_at
    if wanted.origins:
        row.origins = list(wanted.origins)
    if wanted.meta and wanted.meta != row.meta:
        pins.set_meta(session, row, wanted.meta)
    change.audit("pin.renewed", row.id, cid=row.cid)
    pins.refresh(row, change.now)


def edit(session: Session, actor: Actor, pin_id: str, values: Mapping[str, Any], now: datetime) -> PinRow:
    """A request with other values, looked at afresh.  Raises: PinNotFound, PinConflict."""
    change = changes.begin(session, actor, now)
    row = own(session, pin_id)
    for name, value in values.items():
        if name == "meta":
            pins.set_meta(session, row, value)
        else:
            setattr(row, name, value)
    row.updated_at = now
    change.audit("pin.renewed", row.id, changed=sorted(values))
    pins.ask_again(session, row, now)
    return row


def replace(
    session: Session, actor: Actor, pin_id: str, wanted: Wanted, replication: Replication, now: datetime
) -> PinRow:
    """A new request in the place of one, whose content is kept until the new one's is.  Raises: PinNotFound."""
    change = changes.begin(session, actor, now)
    old = own(session, pin_id)
    kept_root = old.root if old.root != root_of(wanted.cid) and old.status == "pinned" else old.replaces_root
    row = row_of(change, wanted, replication)
    row.replaces_root = kept_root
    pins.insert_row(session, change, row)
    change.tell("pin.created", told(row))
    change.audit("pin.replaced", row.id, cid=row.cid, replaced=old.id, replaced_cid=old.cid)
    pins.remove(session, change, old)
    return row


def remove(session: Session, actor: Actor, pin_id: str, now: datetime) -> PinRow:
    """The request that is gone.  Raises: PinNotFound, PinConflict."""
    change = changes.begin(session, actor, now)
    row = own(session, pin_id)
    drop(session, change, row)
    return row


def own_ids(session: Session, cid: CID) -> list[str]:
    """The ids of the organisation's requests for a CID that no file made.  Raises: PinNotFound, PinConflict."""
    found = pins.ids_of_root(session, root_of(cid))
    if not found:
        raise nobody_names(cid)
    ids = [pin_id for pin_id, of_file in found if not of_file]
    if not ids:
        raise PinConflict(f"the pin requests for {cid} belong to files", hint="Delete the files instead.")
    return ids


def nobody_names(cid: CID) -> PinNotFound:
    """That there is no request for a CID."""
    return PinNotFound(f"no pin request names {cid}", hint="The list of pin requests shows what is kept.")


def remove_those(session: Session, actor: Actor, pin_ids: Sequence[str], now: datetime) -> list[str]:
    """Those of these requests, none of which a file made, that were there, and are gone now."""
    change = changes.begin(session, actor, now)
    found = pins.get_all(session, pin_ids)
    rows = [found[pin_id] for pin_id in pin_ids if pin_id in found]
    ids = [row.id for row in rows]
    drop_all(session, change, rows)
    return ids


def drop(session: Session, change: Change, row: PinRow) -> None:
    """Forget a request within a change."""
    drop_all(session, change, [row])


def drop_all(session: Session, change: Change, rows: Sequence[PinRow]) -> None:
    """The same for many."""
    for row in rows:
        change.audit("pin.deleted", row.id, cid=row.cid)
    change.tell_all("pin.deleted", [told(row) for row in rows])
    pins.remove_all(session, change, rows)


def own(session: Session, pin_id: str) -> PinRow:
    """A request of the organisation that no file made.  Raises: PinNotFound, PinConflict."""
    row = pins.get(session, pin_id)
    if row is None:
        raise PinNotFound(f"there is no pin request {pin_id}", hint="Look for its id in the list of pin requests.")
    if row.of_file:
        raise PinConflict(f"the pin request {pin_id} belongs to a file", hint="Change or delete the file instead.")
    return row


def told(row: PinRow) -> dict[str, Any]:
    """A request as events speak of it."""
    return {"id": row.id, "cid": row.cid, "name": row.name, "status": row.status, "error": row.error}
