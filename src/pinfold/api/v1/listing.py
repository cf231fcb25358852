"""What lists of records have in common: how a page is asked for, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import Query

from pinfold.api import cursors
from pinfold.api.envelope import ListAnswer, Pagination
from pinfold.core.errors import InvalidInput
from pinfold.db.paging import Wanted
from pinfold.services.accounts.records import Listed

R = TypeVar("R")
D = TypeVar("D")

MAX_PAGE: Final = 1_000_000  # deeper offsets cost more than anybody can want to read

PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE, description="The page, from 1; for deep lists take `cursor`.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Entries on a page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=cursors.MAX_CHARACTERS, description="`next_cursor` of the page before; wins over `page`."),
]


def wanted_by_id(page: int, limit: int, cursor: str | None) -> Wanted:
    """The page of a list whose rows are in the order of their ids.  Raises: InvalidInput."""
    if cursor is None:
        return Wanted(limit, page)
    (after,) = cursors.decode(cursor, str)
    try:
        return Wanted(limit, page, str(UUID(str(after))))
    except ValueError:
        raise InvalidInput("this cursor is none of this list", hint="Send `next_cursor` as it is.") from None


def wanted_by_number(page: int, limit: int, cursor: str | None) -> Wanted:
    """The page of a list whose rows are numbered.  Raises: InvalidInput."""
    return Wanted(limit, page, cursors.decode_number(cursor))


def answer_of(
    listed: Listed[R], make: Callable[[R], D], wanted: Wanted, key: Callable[[R], str | int]
) -> ListAnswer[D]:
    """The answer of one page; ``key`` gives what the next one begins behind."""
    return ListAnswer(
        success=True,
        data=[make(record) for record in listed.records],
        pagination=Pagination.of(
            None if wanted.after is not None else wanted.page,
            wanted.limit,
            listed.total,
            is_exact=listed.total_is_exact,
            next_cursor=cursors.encode(key(listed.records[-1])) if listed.has_more else None,
        ),
    )
