"""Queries that list files: filtered, in any order, by page or behind the last one seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, false, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from pinfold.db import dialect
from pinfold.db.file_filters import MOST_TYPES, After, FileFilter, Sort, filtered, tagged, types_of
from pinfold.db.files import Rows
from pinfold.db.models import FileRow, PinRow, TotalsRow
from pinfold.db.scope import bound_to
from pinfold.db.search import SHORTEST, NameSearch, contains, count_near

MOST_COUNTED: Final = 10_000
"""Entries of a filtered list that are counted; there may be more."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page, and how many files there are on all of them."""

    rows: list[Rows]
    has_more: bool
    total: int
    """Of a filtered list ``MOST_COUNTED`` at most."""
    is_exact: bool
    """Whether there are just as many; else there are at least so many."""

    def next_after(self, sort: Sort) -> After | None:
        """Where the next page begins; None behind the last one."""
        if not self.has_more or not self.rows:
            return None
        last = self.rows[-1][0]
        values: dict[Sort, datetime | str | int] = {
            Sort.CREATED_AT: last.created_at,
            Sort.NAME: last.name,
            Sort.SIZE: last.size_bytes,
        }
        return After(values[sort], last.number)


@dataclass(frozen=True, slots=True)
class _Place:
    """Which part of a list a page is."""

    sort: Sort
    limit: int
    descending: bool
    offset: int
    after: After | None


def page(
    session: Session,
    wanted: FileFilter,
    sort: Sort,
    limit: int,
    *,
    descending: bool = True,
    offset: int = 0,
    after: After | None = None,
) -> Found:
    """Up to ``limit`` files behind ``after``, or behind the first ``offset``."""
    place = _Place(sort, limit, descending, offset, after)
    if wanted.is_by_status_only and sort is Sort.CREATED_AT:
        rows, has_more = _page_by_status(session, wanted.status, place)
        return Found(rows, has_more, *_count_by_status(session, wanted.status))
    if len(wanted.search) < SHORTEST:
        looked_for = contains(FileRow.name, wanted.search) if wanted.search else None
        numbers = _along_an_index(session, wanted, place, looked_for)
        return _found(session, numbers, limit, _count(session, wanted, looked_for))
    if not dialect.is_sqlite(session):
        alike = contains(FileRow.name, wanted.search)
        numbers, named = _among_all_named(session, wanted, place, alike)
        if named > MOST_COUNTED:  # so many that one of them is soon met
            numbers = _along_an_index(session, wanted, place, alike)
        return _found(session, numbers, limit, _up_to_most(named))
    search = NameSearch(session, FileRow, wanted.search)
    if wanted.is_search_only and descending and sort is Sort.CREATED_AT:
        numbers = search.newest(limit + 1, before=None if after is None else after.number, offset=offset)
        return _found(session, numbers, limit, _up_to_most(search.found))
    if search.is_complete:
        numbers, named = _among_all_named(session, wanted, place, search.condition())
        return _found(session, numbers, limit, _up_to_most(named))
    numbers = _along_an_index(session, wanted, place, search.condition())
    if wanted.is_search_only:
        return _found(session, numbers, limit, _up_to_most(search.found))
    return _found(session, numbers, limit, _count(session, wanted, search.condition()))


def _found(session: Session, numbers: Sequence[int], limit: int, counted: tuple[int, bool]) -> Found:
    return Found(rows_of(session, numbers[:limit]), len(numbers) > limit, *counted)


def _along_an_index(
    session: Session, wanted: FileFilter, place: _Place, looked_for: ColumnElement[bool] | None
) -> Sequence[int]:
    """Numbers of a page's files and one more, read in an index's order."""
    columns = _order(wanted, place.sort)
    if wanted.is_family and columns == [FileRow.number]:
        kinds = types_of(session, wanted)
        if len(kinds) <= MOST_TYPES:
            return _among_types(session, wanted, kinds, place, looked_for)
    statement = filtered(select(FileRow.number), wanted, looked_for)
    if place.after is not None:
        statement = statement.where(_behind(place, columns))
    offset = place.offset
    if offset and columns == [FileRow.created_at]:
        statement, offset = _from_far_down(session, statement, FileRow.created_at, place.descending, offset), 0
    ordered = statement.order_by(*_directed(columns, place)).offset(offset).limit(place.limit + 1)
    return session.scalars(ordered).all()


def _among_types(
    session: Session, wanted: FileFilter, kinds: Sequence[str], place: _Place, looked_for: ColumnElement[bool] | None
) -> Sequence[int]:
    """The same of several content types: each is a range of the index with an order of its own."""
    numbers: list[int] = []
    for kind in kinds:
        its = filtered(select(FileRow.number), replace(wanted, content_type=kind), looked_for)
        if place.after is not None:
            its = its.where(_behind(place, [FileRow.number]))
        its = its.order_by(*_directed([FileRow.number], place)).limit(place.offset + place.limit + 1)
        numbers += session.scalars(its)
    return sorted(numbers, reverse=place.descending)[place.offset :][: place.limit + 1]


def _among_all_named(
    session: Session, wanted: FileFilter, place: _Place, looked_for: ColumnElement[bool]
) -> tuple[Sequence[int], int]:
    """The same of the files whose names an index finds, put in order; and how many those are, if not too many."""
    columns = _order(wanted, place.sort, are_few=True)
    every = filtered(select(FileRow.number, *(column for column in columns if column is not FileRow.number)), wanted)
    every = every.where(looked_for).limit(MOST_COUNTED + 1)
    every = every.with_hint(FileRow, "NOT INDEXED", "sqlite")  # but by the numbers that were found
    named = every.cte("named").prefix_with("MATERIALIZED")
    keys: list[Any] = [named.c[column.key] for column in columns]
    counted = select(func.count()).select_from(named).scalar_subquery()
    statement = select(named.c.number, counted).order_by(*_directed(keys, place))
    if place.after is not None:
        statement = statement.where(_behind(place, keys))
    found = session.execute(statement.offset(place.offset).limit(place.limit + 1)).all()
    if found:
        return [number for number, _ in found], found[0][1]
    return (), session.scalar(select(func.count()).select_from(every.subquery())) or 0


def _behind(place: _Place, columns: Sequence[Any]) -> ColumnElement[bool]:
    """What comes after the last file of the page before."""
    assert place.after is not None
    there = [literal(place.after.number if key.key == "number" else place.after.value, key.type) for key in columns]
    here = tuple_(*columns)
    return here < tuple_(*there) if place.descending else here > tuple_(*there)


def _directed(keys: Sequence[Any], place: _Place) -> list[Any]:
    return [key.desc() if place.descending else key.asc() for key in keys]


def _order(wanted: FileFilter, sort: Sort, *, are_few: bool = False) -> list[InstrumentedAttribute[Any]]:
    """The columns to sort by.

    Times of creation and numbers grow together in an organisation, and a file and its pin were made at one time: so
    each filter can be read in the order of an index of its own.
    """
    if sort is Sort.NAME:
        return [FileRow.name, FileRow.number]
    if sort is Sort.SIZE:
        return [FileRow.size_bytes, FileRow.number]
    if are_few:
        return [FileRow.number]
    if wanted.status:
        return [PinRow.created_at]
    return [FileRow.number] if wanted.tags or wanted.content_type else [FileRow.created_at]


def rows_of(session: Session, numbers: Sequence[int]) -> list[Rows]:
    """The files of these numbers with their pin requests, in this order."""
    rows = session.execute(
        select(FileRow, PinRow).join(PinRow, PinRow.id == FileRow.pin_id).where(FileRow.number.in_(numbers))
    )
    by_number = {row[0].number: (row[0], row[1]) for row in rows}
    return [by_number[number] for number in numbers if number in by_number]


def _count(session: Session, wanted: FileFilter, looked_for: ColumnElement[bool] | None) -> tuple[int, bool]:
    """How many files, and whether that is exact: of filtered ones no more than ``MOST_COUNTED`` are counted.

    What no index finds, or finds too often, is counted among the newest.
    """
    if wanted.is_none:
        total = session.scalar(select(TotalsRow.files).where(TotalsRow.organisation_id == bound_to(session))) or 0
        return total, True
    if looked_for is not None:
        order = _order(wanted, Sort.CREATED_AT)[0]
        near, is_all = count_near(session, filtered(select(FileRow.number), wanted).order_by(order.desc()), looked_for)
        return min(near, MOST_COUNTED), is_all and near <= MOST_COUNTED
    if wanted == FileFilter(tags=wanted.tags):
        some = tagged(wanted.tags)  # of which the index has all
    else:
        some = filtered(select(FileRow.number), wanted)
    return _up_to_most(session.scalar(select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())))


def _count_by_status(session: Session, status: Sequence[str]) -> tuple[int, bool]:
    some = select(PinRow.number).where(PinRow.of_file, PinRow.status.in_(status))  # each such pin is one file's
    return _up_to_most(session.scalar(select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())))


def _up_to_most(found: int | None) -> tuple[int, bool]:
    counted = found or 0
    return min(counted, MOST_COUNTED), counted <= MOST_COUNTED


def _from_far_down(session: Session, statement: Select[Any], order: Any, descending: bool, offset: int) -> Select[Any]:
    """What is behind the first ``offset`` by a time of creation, of which nothing is read but what the index has."""
    times = statement.with_only_columns(order).order_by(order.desc() if descending else order.asc())
    first = session.scalar(times.offset(offset).limit(1))
    if first is None:
        return statement.where(false())
    return statement.where(order <= first if descending else order >= first)


def _page_by_status(session: Session, status: Sequence[str], place: _Place) -> tuple[list[Rows], bool]:
    """Along the pins' index alone; a file and its pin were made at one time."""
    pins = select(PinRow.id).where(PinRow.of_file, PinRow.status.in_(status))
    if place.after is not None:
        there = literal(place.after.value, PinRow.created_at.type)
        pins = pins.where(PinRow.created_at < there if place.descending else PinRow.created_at > there)
    if place.offset:
        pins = _from_far_down(session, pins, PinRow.created_at, place.descending, place.offset)
    (order,) = _directed([PinRow.created_at], place)
    ids = session.scalars(pins.order_by(order).limit(place.limit + 1)).all()
    rows = session.execute(
        select(FileRow, PinRow).join(PinRow, PinRow.id == FileRow.pin_id).where(FileRow.pin_id.in_(ids[: place.limit]))
    )
    by_pin: dict[str, Rows] = {row[1].id: (row[0], row[1]) for row in rows}
    return [by_pin[pin_id] for pin_id in ids[: place.limit] if pin_id in by_pin], len(ids) > place.limit
