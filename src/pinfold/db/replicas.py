"""Queries about what peers hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pinfold.db.models import ReplicaRow


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


def replace(session: Session, root: str, observed: Sequence[Observed], now: datetime) -> None:
    """Let ``observed`` be all that is known of ``root``; a claim keeps the time at which it was first made."""
    before = {row.peer_id: row for row in of_root(session, root)}
    session.execute(delete(ReplicaRow).where(ReplicaRow.root == root))
    session.expunge_all()
    for one in observed:
        earlier = before.get(one.peer_id)
        claimed_at = (earlier.claimed_at if earlier else None) or now
        session.add(
            ReplicaRow(
                root=root,
                peer_id=one.peer_id,
                peer_name=one.peer_name,
                status=one.status,
                error=one.error,
                claimed_at=claimed_at if one.is_pinned else None,
                seen_at=now,
            )
        )
