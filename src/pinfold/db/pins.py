"""Queries about pin requests.

Those of one organisation begin with a ``Change``; lists are in ``pin_lists``, and what workers ask is in ``wishes``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Required, TypedDict, Unpack, cast

from sqlalchemy import Table, delete, select
from sqlalchemy import insert as insert_rows
from sqlalchemy.orm import Session

from pinfold.db import reconciliations, scope
from pinfold.db.changes import Change
from pinfold.db.identifiers import new_id
from pinfold.db.models import PinMetaRow, PinRow


class NewPin(TypedDict, total=False):
    """What a new request says; all but ``cid`` and ``root`` may be left out."""

    cid: Required[str]
    root: Required[str]
    name: str
    of_file: bool
    tier: str | None
    replication_factor_min: int
    replication_factor_max: int
    priority: int
    meta: Mapping[str, str] | None
    origins: Sequence[str]
    expires_at: datetime | None


def new_row(
    change: Change,
    *,
    cid: str,
    root: str,
    name: str = "",
    of_file: bool = False,
    tier: str | None = None,
    replication_factor_min: int = 1,
    replication_factor_max: int = 1,
    priority: int = 1,
    meta: Mapping[str, str] | None = None,
    origins: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> PinRow:
    """The row of a new request, queued; it is in no database yet."""
    created_at = change.created_at()
    return PinRow(
        id=new_id(),
        organisation_id=change.organisation_id,
        of_file=of_file,
        cid=cid,
        root=root,
        name=name,
        status="queued",
        error=None,
        tier=tier,
        replication_factor_min=replication_factor_min,
        replication_factor_max=replication_factor_max,
        priority=priority,
        meta=dict(meta or {}),
        origins=list(origins),
        size_bytes=0,
        given_up=False,
        replaces_root=None,
        expires_at=expires_at,
        created_at=created_at,
        updated_at=created_at,
    )


_COLUMNS: Final = tuple(column.key for column in PinRow.__table__.columns if column.key != "number")
_INSERT: Final = insert_rows(cast(Table, PinRow.__table__))


def insert(session: Session, change: Change, **what: Unpack[NewPin]) -> PinRow:
    """A new request, queued and counted, its root due at once.

    A file's request is not counted among pins.  Neither is it told of or audited: that is the caller's to do.
    """
    row = new_row(change, **what)
    insert_row(session, change, row)
    return row


def insert_row(session: Session, change: Change, row: PinRow) -> None:
    """Put one new row in, counted, its root due at once."""
    insert_all(session, [row])
    if not row.of_file:
        change.count(pins=1)
    reconciliations.mark_due(session, row.root, change.now, row.priority)


def insert_all(session: Session, rows: Sequence[PinRow]) -> None:
    """Put new rows in; they are yet to be counted, and their roots to be marked as due.

    The session does not know them afterwards: what is to be changed of one is changed before, or read again.
    """
    if not rows:
        return
    organisation_id = scope.bound_to(session)
    if any(row.organisation_id != organisation_id for row in rows):
        raise scope.OutOfScope("a row of another organisation")
    # As mapped objects they would take four times as long, which is most of what a request for a pin costs.
    session.connection().execute(_INSERT, [{name: getattr(row, name) for name in _COLUMNS} for row in rows])
    described = {row.id: row for row in rows if row.meta}
    if described:
        for pin_id, number in session.execute(select(PinRow.id, PinRow.number).where(PinRow.id.in_(described))):
            described[pin_id].number = number
        session.execute(insert_rows(PinMetaRow), [entry for row in described.values() for entry in _meta_rows(row)])


def set_meta(session: Session, row: PinRow, meta: Mapping[str, str]) -> None:
    """Other metadata for a request."""
    session.execute(delete(PinMetaRow).where(PinMetaRow.pin_number == row.number))
    row.meta = dict(meta)
    if meta:
        session.execute(insert_rows(PinMetaRow), _meta_rows(row))


def _meta_rows(row: PinRow) -> list[dict[str, object]]:
    """The rows by which a request is found by its metadata."""
    common = {"organisation_id": row.organisation_id, "created_at": row.created_at, "pin_number": row.number}
    return [{**common, "digest": meta_digest(key, value)} for key, value in row.meta.items()]


def meta_digest(key: str, value: str) -> bytes:
    """What stands for an entry of metadata in its index."""
    length = len(key.encode("utf-8", "surrogatepass"))
    said = f"{length}:{key}{value}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(said).digest()[:16]


def remove(session: Session, change: Change, row: PinRow) -> None:
    """Forget one request and what it counted; its root is due, for it may be wanted by nobody now."""
    remove_all(session, change, [row])


def remove_all(session: Session, change: Change, rows: Sequence[PinRow]) -> None:
    """The same for many."""
    due: dict[str, int] = {}
    for row in rows:
        for root in (row.root, row.replaces_root):
            if root is not None:
                due[root] = max(due.get(root, 0), row.priority)
        change.count(pins=0 if row.of_file else -1, logical_bytes=-row.size_bytes)
        session.expunge(row)
    if not rows:
        return
    ids = [row.id for row in rows]
    session.execute(delete(PinRow).where(PinRow.id.in_(ids)).execution_options(synchronize_session=False))
    reconciliations.mark_all_due(session, due, change.now)


def refresh(row: PinRow, now: datetime) -> None:
    """Have a request tried anew where it is not pinned; its root is yet to be marked as due."""
    if row.status != "pinned":
        row.status, row.error, row.given_up = "queued", None, False
    row.updated_at = now


def ask_again(session: Session, row: PinRow, now: datetime) -> None:
    """Have a request looked at afresh."""
    refresh(row, now)
    session.flush()
    reconciliations.mark_due(session, row.root, now, row.priority)


def get(session: Session, pin_id: str) -> PinRow | None:
    """One request."""
    return session.scalar(select(PinRow).where(PinRow.id == pin_id))


def get_all(session: Session, pin_ids: Sequence[str]) -> dict[str, PinRow]:
    """Those of these requests that there are, by id."""
    return {row.id: row for row in session.scalars(select(PinRow).where(PinRow.id.in_(pin_ids)))}


def ids_of_root(session: Session, root: str) -> Sequence[tuple[str, bool]]:
    """The requests for one root that the session reaches, oldest first: their ids, and whether a file made them."""
    asked = select(PinRow.id, PinRow.of_file).where(PinRow.root == root).order_by(PinRow.created_at)
    return [(pin_id, of_file) for pin_id, of_file in session.execute(asked)]


def newest_of_root(session: Session, root: str) -> PinRow | None:
    """The newest request for one root that the session reaches."""
    return session.scalar(select(PinRow).where(PinRow.root == root).order_by(PinRow.created_at.desc()).limit(1))


def all_named(session: Session, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], PinRow]:
    """The newest requests that no file made, for these roots and by these names."""
    roots, names = {root for root, _ in keys}, {name for _, name in keys}
    bare_name = PinRow.name + ""  # or PostgreSQL may take the index of trigrams, which is for searches: 150 ms
    rows = session.scalars(
        select(PinRow)
        .where(PinRow.root.in_(sorted(roots)), bare_name.in_(sorted(names)), PinRow.of_file.is_(False))
        .order_by(PinRow.created_at)
    )
    return {(row.root, row.name): row for row in rows}


def of_root(session: Session, root: str) -> Sequence[PinRow]:
    """All requests for one root that the session reaches, oldest first."""
    return session.scalars(select(PinRow).where(PinRow.root == root).order_by(PinRow.created_at)).all()
