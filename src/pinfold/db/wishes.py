"""What workers ask of all organisations' pin requests: who wants a root, and what for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import or_, select, union
from sqlalchemy.orm import Session

from pinfold.db.changes import quota_of
from pinfold.db.models import PinRow, RootRow, TotalsRow

_MAX_ORIGINS = 20


@dataclass(slots=True)
class Wish:
    """What all requests for one root come to."""

    root: str
    is_wanted: bool = False
    origins: list[str] = field(default_factory=list)
    max_bytes: int | None = 0
    """What the most generous quota of those who ask leaves; None for no limit."""
    is_pinned: bool = True
    """Whether every request says so already."""
    known_bytes: int | None = None
    """The size of its DAG, where that was found out before."""


def is_wanted(session: Session, root: str) -> bool:
    """Whether any request names the root, or keeps it until its own is pinned."""
    asked = select(PinRow.id).where(
        or_((PinRow.root == root) & PinRow.given_up.is_(False), PinRow.replaces_root == root)
    )
    return session.scalar(asked.limit(1)) is not None


def wanted_after(session: Session, root: str, limit: int) -> Sequence[str]:
    """Up to ``limit`` roots that requests name and that sort after ``root``, in order."""
    named = select(PinRow.root).where(PinRow.root > root, PinRow.given_up.is_(False)).distinct()
    kept = select(PinRow.replaces_root).where(PinRow.replaces_root > root).distinct()
    pages = [each.order_by(each.selected_columns[0]).limit(limit).subquery() for each in (named, kept)]
    both = union(*(select(page.c[0].label("root")) for page in pages)).subquery()
    return session.scalars(select(both.c.root).order_by(both.c.root).limit(limit)).all()


def of_roots(session: Session, roots: Sequence[str]) -> dict[str, Wish]:
    """What is wished for each of these roots."""
    wishes = {root: Wish(root) for root in roots}
    rooms: dict[str, int | None] = {}
    columns = (PinRow.root, PinRow.organisation_id, PinRow.of_file, PinRow.size_bytes, PinRow.origins, PinRow.status)
    asked = select(*columns).where(PinRow.root.in_(roots), PinRow.given_up.is_(False)).order_by(PinRow.number)
    for root, organisation_id, of_file, size_bytes, origins, status in session.execute(asked):
        wish = wishes[root]
        wish.is_wanted = True
        wish.is_pinned = wish.is_pinned and status == "pinned"
        for origin in origins:
            if origin not in wish.origins and len(wish.origins) < _MAX_ORIGINS:
                wish.origins.append(origin)
        room = None if of_file or size_bytes else _room(session, organisation_id, rooms)
        wish.max_bytes = None if room is None or wish.max_bytes is None else max(wish.max_bytes, room)
    for kept in session.scalars(select(PinRow.replaces_root).where(PinRow.replaces_root.in_(roots))):
        assert kept is not None
        wishes[kept].is_wanted = True
        wishes[kept].max_bytes = None
    for root, size in session.execute(select(RootRow.root, RootRow.size_bytes).where(RootRow.root.in_(roots))):
        wishes[root].known_bytes = size
    return wishes


def _room(session: Session, organisation_id: str, known: dict[str, int | None]) -> int | None:
    """Bytes that an organisation's quota leaves; None for no limit."""
    if organisation_id not in known:
        limit = quota_of(session, organisation_id).bytes
        if limit is not None:
            used = session.scalar(
                select(TotalsRow.logical_bytes + TotalsRow.reserved_bytes).where(
                    TotalsRow.organisation_id == organisation_id
                )
            )
            limit = max(0, limit - (used or 0))
        known[organisation_id] = limit
    return known[organisation_id]


def organisations_of(session: Session, roots: Sequence[str]) -> list[str]:
    """Whose requests name these roots, in order."""
    asked = select(PinRow.organisation_id).where(PinRow.root.in_(roots)).distinct()
    return sorted(session.scalars(asked))


def requests_of(session: Session, organisation_ids: Sequence[str], roots: Sequence[str]) -> Sequence[PinRow]:
    """The requests of organisations for roots, oldest first."""
    return session.scalars(
        select(PinRow)
        .where(PinRow.root.in_(roots), PinRow.organisation_id.in_(organisation_ids))
        .order_by(PinRow.number)
    ).all()


def expired(session: Session, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Up to ``limit`` requests that nobody keeps beyond ``before``: organisation and id."""
    found = session.execute(
        select(PinRow.organisation_id, PinRow.id)
        .where(PinRow.expires_at <= before)
        .order_by(PinRow.expires_at)
        .limit(limit)
    )
    return [(organisation_id, pin_id) for organisation_id, pin_id in found]
