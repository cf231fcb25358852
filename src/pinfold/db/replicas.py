"""Queries about what peers hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from pinfold.db.models import ReplicaRow

_TABLE: Final = cast(Table, ReplicaRow.__table__)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a peer said of a root."""

    peer_id: str
    peer_name: str
    status: str
    error: str | None
    is_pinned: bool


def of_root(session: Session, root: str) -> Sequence[ReplicaRow]:
    """What every peer last said of one root."""
    return session.scalars(select(ReplicaRow).where(ReplicaRow.root == root).order_by(ReplicaRow.peer_id)).all()


def replace(session: Session, observed: Mapping[str, Sequence[Observed]], now: datetime) -> None:
    """Let ``observed`` be all that is known of these roots; a claim keeps the time at which it was first made."""
    before = {
        (row.root, row.peer_id): row
        for row in session.execute(select(_TABLE).where(_TABLE.c.root.in_(sorted(observed))))
    }
    rows = []
    for root, said in sorted(observed.items()):
        for one in said:
            earlier = before.get((root, one.peer_id))
            rows.append(
                {
                    "root": root,
                    "peer_id": one.peer_id,
                    "peer_name": one.peer_name,
                    "status": one.status,
                    "error": one.error,
                    "claimed_at": ((earlier.claimed_at if earlier else None) or now) if one.is_pinned else None,
                    "verified_at": earlier.verified_at if earlier and one.is_pinned else None,
                    "seen_at": now,
                }
            )
    if before:
        session.execute(delete(_TABLE).where(_TABLE.c.root.in_({root for root, _ in before})))
    if rows:
        session.execute(insert(_TABLE), rows)
