"""Queries about pin requests.

Those of one organisation begin with a ``Change``; lists are in ``pin_lists``, and what workers ask is in ``wishes``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy import insert as insert_rows
from sqlalchemy.orm import Session

from pinfold.db import reconciliations
from pinfold.db.changes import Change
from pinfold.db.models import PinMetaRow, PinRow


def insert(
    session: Session,
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
    replaces_root: str | None = None,
) -> PinRow:
    """A new request, queued and counted, its root due at once.

    A file's request is not counted among pins, and neither told of nor audited: that is the file's to do.
    """
    created_at = change.created_at()
    row = PinRow(
        organisation_id=change.organisation_id,
        of_file=of_file,
        cid=cid,
        root=root,
        name=name,
        status="queued",
        tier=tier,
        replication_factor_min=replication_factor_min,
        replication_factor_max=replication_factor_max,
        priority=priority,
        meta=dict(meta or {}),
        origins=list(origins),
        expires_at=expires_at,
        replaces_root=replaces_root,
        created_at=created_at,
        updated_at=created_at,
    )
    session.add(row)
    session.flush()
    if meta:
        _index_meta(session, row)
    if not of_file:
        change.count(pins=1)
    reconciliations.mark_due(session, root, change.now, priority)
    return row


def set_meta(session: Session, row: PinRow, meta: Mapping[str, str]) -> None:
    """Other metadata for a request."""
    session.execute(delete(PinMetaRow).where(PinMetaRow.pin_number == row.number))
    row.meta = dict(meta)
    if meta:
        _index_meta(session, row)


def _index_meta(session: Session, row: PinRow) -> None:
    session.execute(insert_rows(PinMetaRow.__table__), meta_rows(row))


def meta_rows(row: PinRow) -> list[dict[str, object]]:
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
    session.execute(delete(PinRow).where(PinRow.id == row.id).execution_options(synchronize_session=False))
    session.expunge(row)
    change.count(pins=0 if row.of_file else -1, logical_bytes=-row.size_bytes)
    due = {row.root: row.priority}
    if row.replaces_root is not None:
        due[row.replaces_root] = row.priority
    reconciliations.mark_all_due(session, due, change.now)


def ask_again(session: Session, row: PinRow, now: datetime) -> None:
    """Have a request looked at afresh."""
    if row.status != "pinned":
        row.status, row.error, row.given_up, row.updated_at = "queued", None, False, now
        session.flush()
    reconciliations.mark_due(session, row.root, now, row.priority)


def get(session: Session, pin_id: str) -> PinRow | None:
    """One request."""
    return session.scalar(select(PinRow).where(PinRow.id == pin_id))


def named(session: Session, root: str, name: str) -> PinRow | None:
    """The newest request for a root by that name that no file made."""
    return session.scalar(
        select(PinRow)
        .where(PinRow.root == root, PinRow.name == name, PinRow.of_file.is_(False))
        .order_by(PinRow.created_at.desc())
        .limit(1)
    )


def of_root(session: Session, root: str) -> Sequence[PinRow]:
    """All requests for one root that the session reaches, oldest first."""
    return session.scalars(select(PinRow).where(PinRow.root == root).order_by(PinRow.created_at)).all()
