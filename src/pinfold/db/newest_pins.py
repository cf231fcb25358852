"""The newest pin requests of an organisation that no file made: the list that clients ask for all the time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
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


def _list(*conditions: Any) -> Prepared:
    columns: Any = [getattr(PinRow, name) for name in _Row._fields]
    found: Select[*tuple[Any, ...]] = select(*columns).where(*_OURS, *conditions)
    return Prepared(found.order_by(PinRow.created_at.desc()).limit(_LIMIT), of_tenant=True)


_LISTS: Final = {
    (False, False): _list(),
    (True, False): _list(_BY_STATUS),
    (False, True): _list(_BEFORE),
    (True, True): _list(_BY_STATUS, _BEFORE),
}
"""By whether there is a status, and a time before which they were made."""
_SOME: Final = select(literal_column("1")).select_from(PinRow).where(*_OURS, _BY_STATUS).limit(_LIMIT).subquery()
_COUNT: Final = Prepared(select(func.count()).select_from(_SOME), of_tenant=True)
_PINS: Final = Prepared(
    select(TotalsRow.pins).where(TotalsRow.organisation_id == bindparam("organisation_id")), of_tenant=True
)


def in_order(statuses: Collection[str]) -> list[str]:
    """Statuses as requests go through them; each is asked for by a statement of its own.

    A request that goes on between two statements is then found twice, which ``merged`` sees, and not never.
    """
    return sorted(statuses, key=_COURSE.index)


def merged(pages: Sequence[Sequence[T]], key: Callable[[T], datetime], start: int, stop: int) -> list[T]:
    """Rows ``start`` to ``stop`` of pages that are each the newest first; of one found twice, as it was found last."""
    rows = heapq.merge(*pages, key=key, reverse=True)
    return list(islice((deque(same, 1).pop() for _, same in groupby(rows, key)), start, stop))


def newest(session: Session, statuses: Collection[str], limit: int, before: datetime | None) -> Sequence[PinRow]:
    """Up to ``limit`` requests with one of these statuses (none: with any), newest first; rows to be read only."""
    given: dict[str, Any] = {"limit": limit} | ({} if before is None else {"before": before})
    statement = _LISTS[bool(statuses), before is not None]
    pages = [
        statement.rows(session, **given, **({"status": status} if status else {}))
        for status in in_order(statuses) or [""]
    ]
    found = pages[0] if len(pages) == 1 else merged(pages, itemgetter(_CREATED_AT), 0, limit)
    return cast(Sequence[PinRow], [_Row._make(row) for row in found])


def count_status(session: Session, status: str, limit: int) -> int:
    """How many requests have a status; ``limit`` at most."""
    count: int = _COUNT.rows(session, status=status, limit=limit)[0][0]
    return count


def count_all(session: Session) -> int:
    """How many requests there are."""
    found = _PINS.rows(session)
    return found[0][0] if found else 0
