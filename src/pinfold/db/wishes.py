"""What workers ask of all organisations' pin requests: who wants a root, and what for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, cast, func, not_, or_, select, union
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
    claimants: list[str] = field(default_factory=list)
    """Organisations that ask for it and neither have a file of it nor had a request pinned; oldest request first."""
    has_holders: bool = False
    """Whether other organisations' requests or files keep it."""
    known_bytes: int | None = None
    """The size of its DAG, where that was found out before."""


def is_wanted(session: Session, root: str) -> bool:
    """Whether any request names the root, or keeps it until its own is pinned."""
    asked = select(PinRow.id).where(
        or_((PinRow.root == root) & PinRow.given_up.is_(False), PinRow.replaces_root == root)
    )
    return session.scalar(asked.limit(1)) is not None


def is_held(session: Session, root: str) -> bool:
    """Whether a file has the root, or it was pinned for a request."""
    held = or_(PinRow.of_file, PinRow.status == "pinned", PinRow.size_bytes > 0)
    return session.scalar(select(PinRow.id).where(PinRow.root == root, held).limit(1)) is not None


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
    holders: defaultdict[str, set[str]] = defaultdict(set)
    # Of thousands of requests for one root nearly all say the same.
    has_size = PinRow.size_bytes > 0
    said = (PinRow.root, PinRow.organisation_id, PinRow.of_file, has_size, cast(PinRow.origins, Text), PinRow.status)
    asked = (
        select(*said)
        .where(PinRow.root.in_(roots), PinRow.given_up.is_(False))
        .group_by(*said)
        .order_by(func.min(PinRow.number))
    )
    for root, organisation_id, of_file, is_counted, origins, status in session.execute(asked):
        wish = wishes[root]
        wish.is_wanted = True
        wish.is_pinned = wish.is_pinned and status == "pinned"
        if of_file or is_counted or status == "pinned":
            holders[root].add(organisation_id)
        elif organisation_id not in wish.claimants:
            wish.claimants.append(organisation_id)
        for origin in json.loads(origins):
            if origin not in wish.origins and len(wish.origins) < _MAX_ORIGINS:
                wish.origins.append(origin)
        room = None if of_file or is_counted else _room(session, organisation_id, rooms)
        wish.max_bytes = None if room is None or wish.max_bytes is None else max(wish.max_bytes, room)
    for root, those in holders.items():
        wishes[root].claimants = [one for one in wishes[root].claimants if one not in those]
        wishes[root].has_holders = True
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


def requests_to_change(
    session: Session, organisation_ids: Sequence[str], copies: Mapping[str, int], after: int, limit: int
) -> Sequence[PinRow]:
    """Up to ``limit`` requests of organisations for roots with numbers above ``after``, oldest first.

    Without those to which it is no news that there are so many ``copies`` of their root.
    """
    roots: defaultdict[int, list[str]] = defaultdict(list)
    for root, count in copies.items():
        roots[count].append(root)
    if not roots:
        return []
    number = PinRow.number + 0  # or PostgreSQL may walk the whole primary key for the order
    return session.scalars(
        select(PinRow)
        .where(
            or_(*(PinRow.root.in_(those) & not_(_is_content_with(count)) for count, those in roots.items())),
            PinRow.organisation_id.in_(organisation_ids),
            number > after,
        )
        .order_by(number)
        .limit(limit)
    ).all()


def _is_content_with(copies: int) -> ColumnElement[bool]:
    return and_(
        PinRow.status == "pinned",
        PinRow.replication_factor_min <= copies,
        PinRow.error.is_(None),
        PinRow.given_up.is_(False),
        PinRow.replaces_root.is_(None),
        or_(PinRow.of_file, PinRow.size_bytes > 0),
    )


def expired(session: Session, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Up to ``limit`` requests that nobody keeps beyond ``before``: organisation and id."""
    found = session.execute(
        select(PinRow.organisation_id, PinRow.id)
        .where(PinRow.expires_at <= before)
        .order_by(PinRow.expires_at)
        .limit(limit)
    )
    return [(organisation_id, pin_id) for organisation_id, pin_id in found]
