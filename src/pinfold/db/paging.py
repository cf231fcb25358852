"""One page of a list: by its number, or of what comes behind the last row that was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import InstrumentedAttribute, Session

from pinfold.db.counting import count_up_to

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page: ``after`` is the key of the last row seen, and wins over the page's number."""

    limit: int
    page: int = 1
    after: str | int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Rows of one page, how many there are on all, and whether more follow."""

    rows: list[R]
    total: int
    total_is_exact: bool
    has_more: bool


def page_of(
    session: Session,
    statement: Any,
    key: InstrumentedAttribute[Any],
    wanted: Wanted,
    *,
    descending: bool = True,
) -> Page[Any]:
    """A page of what ``statement`` selects, in the order of ``key``, which no two rows share.

    Shape:  rows are the selected entity, or tuples where several are selected.
    """
    total, is_exact = count_up_to(session, statement)
    ordered = statement.order_by(key.desc() if descending else key.asc()).limit(wanted.limit + 1)
    if wanted.after is not None:
        ordered = ordered.where(key < wanted.after if descending else key > wanted.after)
    else:
        ordered = ordered.offset((wanted.page - 1) * wanted.limit)
    found = session.execute(ordered).all()
    rows: list[Any] = [row[0] if len(row) == 1 else tuple(row) for row in found[: wanted.limit]]
    return Page(rows, total, is_exact, len(found) > wanted.limit)
