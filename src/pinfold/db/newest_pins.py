"""The newest pin requests of an organisation that no file made: the list that clients ask for all the time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar, cast

from sqlalchemy import Integer, Select, bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from pinfold.db.models import PinRow, TotalsRow, UTCDateTime
from pinfold.db.prepared import Prepared

T = TypeVar("T")


class _Row(NamedTuple):
    """A pin request, to be read only."""

    number: int
    id: str
    organisation_id: str
    of_file: bool
    cid: str
    root: str
    name: str
    status: str
    error: str | None
    tier: str | None
    replication_factor_min: int
    replication_factor_max: int
    priority: int
    meta: dict[str, str]
    origins: list[str]
    size_bytes: int
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


_CREATED_AT: Final = _Row._fields.index("created_at")
_COURSE: Final = ("queued", "pinning", "pinned", "failed")
_LIMIT: Final = bindparam("limit", type_=Integer)
_OURS: Final = (PinRow.organisation_id == bindparam("organisation_id"), PinRow.of_file.is_(False))
_BY_STATUS: Final = PinRow.status == bindparam("status")
_BEFORE: Final = PinRow.created_at < bindparam("before", type_=UTCDateTime())


_MOST: Final = bindparam("most", type_=Integer)
_PINS: Final = select(TotalsRow.pins).where(TotalsRow.organisation_id == bindparam("organisation_id"))
_COLUMNS: Final[Any] = [getattr(PinRow, name) for name in _Row._fields]
_WIDTH: Final = len(_Row._fields)


def _counts(statuses: frozenset[str]) -> list[Any]:
    """Columns: how many have each of these statuses, in order, and how many there are in all."""
    counts = []
    for status in in_order(statuses):
        some: Select[Any] = select(literal_column("1")).select_from(PinRow).where(*_OURS, PinRow.status == status)
        counts.append(select(func.count()).select_from(some.limit(_MOST).subquery()).scalar_subquery())
    return [*counts, _PINS.scalar_subquery()]


@cache
def _list(by_status: bool, from_time: bool, counted: frozenset[str] | None) -> Prepared:
    """A page, perhaps of one status and before a time; in each row the counts as well, where they are wanted.

    One question instead of two, which matters where each goes over a network.
    """
    conditions = [*_OURS, *([_BY_STATUS] if by_status else []), *([_BEFORE] if from_time else [])]
    found: Select[*tuple[Any, ...]] = select(*_COLUMNS, *([] if counted is None else _counts(counted)))
    return Prepared(found.where(*conditions).order_by(PinRow.created_at.desc()).limit(_LIMIT), of_tenant=True)


@cache
def _only_counts(statuses: frozenset[str]) -> Prepared:
    return Prepared(select(*_counts(statuses)), of_tenant=True)


def in_order(statuses: Collection[str]) -> list[str]:
    """Statuses as requests go through them; each is asked for by a statement of its own.

    A request that goes on between two statements is then found twice, which ``merged`` sees, and not never.
    """
    return sorted(statuses, key=_COURSE.index)


def merged(pages: Sequence[Sequence[T]], key: Callable[[T], datetime], start: int, stop: int) -> list[T]:
    """Rows ``start`` to ``stop`` of pages that are each the newest first; of one found twice, as it was found last."""
    rows = heapq.merge(*pages, key=key, reverse=True)
    return list(islice((deque(same, 1).pop() for _, same in groupby(rows, key)), start, stop))


def newest(
    session: Session,
    statuses: frozenset[str],
    limit: int,
    before: datetime | None,
    *,
    counted: frozenset[str],
    most: int,
) -> tuple[Sequence[PinRow], int, int]:
    """Up to ``limit`` requests with one of these statuses (none: with any), newest first; rows to be read only.

    And what ``count`` tells of the statuses ``counted``.
    """
    given: dict[str, Any] = {"limit": limit} | ({} if before is None else {"before": before})
    if len(statuses) > 1:
        pages = [
            _list(True, before is not None, None).rows(session, **given, status=status) for status in in_order(statuses)
        ]
        return _as_rows(merged(pages, itemgetter(_CREATED_AT), 0, limit)), *count(session, counted, most)
    given |= {"status": next(iter(statuses))} if statuses else {}
    given |= {"most": most} if counted else {}
    found = _list(bool(statuses), before is not None, counted).rows(session, **given)
    if not found:
        return (), *count(session, counted, most)
    *counts, every = found[0][_WIDTH:]
    return _as_rows([row[:_WIDTH] for row in found]), sum(counts), every or 0


def count(session: Session, statuses: frozenset[str], most: int) -> tuple[int, int]:
    """How many requests have one of these statuses, ``most`` at most of each; and how many there are in all."""
    *counts, every = _only_counts(statuses).rows(session, **({"most": most} if statuses else {}))[0]
    return sum(counts), every or 0


def _as_rows(found: Sequence[tuple[Any, ...]]) -> Sequence[PinRow]:
    return cast(Sequence[PinRow], [_Row._make(row) for row in found])
