"""Queries that list files: filtered, in any order, by page or behind the last one seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, false, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from pinfold.db import dialect
from pinfold.db.files import Rows
from pinfold.db.models import FileRow, FileTagRow, PinRow, TotalsRow
from pinfold.db.scope import bound_to
from pinfold.db.search import SHORTEST, NameSearch, contains, count_near

MOST_COUNTED: Final = 10_000
"""Entries of a filtered list that are counted; there may be more."""


class Sort(StrEnum):
    """By what files can be listed."""

    CREATED_AT = "created_at"
    NAME = "name"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files; what is None or empty does not matter."""

    status: Sequence[str] = ()
    search: str = ""
    """A part of the name, letters' case aside."""
    content_type: str = ""
    """Whole, or a family such as ``image/*``."""
    tags: Sequence[str] = ()
    """All of them."""
    project_id: str | None = None

    @property
    def is_none(self) -> bool:
        """Whether every file is meant."""
        return self == FileFilter()

    @property
    def is_search_only(self) -> bool:
        """Whether nothing but a part of the name is asked for."""
        return self == FileFilter(search=self.search)

    @property
    def is_by_status_only(self) -> bool:
        """Whether nothing but a status is asked for."""
        return bool(self.status) and self == FileFilter(status=self.status)


@dataclass(frozen=True, slots=True)
class After:
    """The last file of the page before: what it was sorted by, and its number."""

    value: datetime | str | int
    number: int


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
        numbers, named = _among_all_named(session, wanted, place)
        if named > MOST_COUNTED:  # so many that one of them is soon met
            numbers = _along_an_index(session, wanted, place, contains(FileRow.name, wanted.search))
        return _found(session, numbers, limit, _up_to_most(named))
    search = NameSearch(session, FileRow, wanted.search)
    if wanted.is_search_only:
        counted = _up_to_most(search.found)
    else:
        counted = _count(session, wanted, search.condition())
    if descending and wanted.is_search_only and sort is Sort.CREATED_AT:
        numbers = search.newest(limit + 1, before=None if after is None else after.number, offset=offset)
    else:
        numbers = _along_an_index(session, wanted, place, search.condition(), are_few=search.is_complete)
    return _found(session, numbers, limit, counted)


def _found(session: Session, numbers: Sequence[int], limit: int, counted: tuple[int, bool]) -> Found:
    return Found(rows_of(session, numbers[:limit]), len(numbers) > limit, *counted)


def _along_an_index(
    session: Session,
    wanted: FileFilter,
    place: _Place,
    looked_for: ColumnElement[bool] | None,
    *,
    are_few: bool = False,
) -> Sequence[int]:
    """Numbers of a page's files and one more, read in an index's order; the order of few of them is made instead."""
    columns = _order(wanted, place.sort, are_few=are_few)
    statement = _filtered(select(FileRow.number), wanted, looked_for)
    offset = place.offset
    if place.after is not None:
        statement = statement.where(_behind(place, columns))
    if offset and columns == [FileRow.created_at]:
        statement, offset = _from_far_down(session, statement, FileRow.created_at, place.descending, offset), 0
    keys: list[Any] = [func.coalesce(column, column) for column in columns] if are_few else columns
    ordered = statement.order_by(*_directed(keys, place)).offset(offset).limit(place.limit + 1)
    return session.scalars(ordered).all()


def _among_all_named(session: Session, wanted: FileFilter, place: _Place) -> tuple[Sequence[int], int]:
    """The same on PostgreSQL, of the files whose names its index finds; and how many those are, if not too many."""
    columns = _order(wanted, place.sort, are_few=True)
    every = _filtered(select(FileRow.number, *(column for column in columns if column is not FileRow.number)), wanted)
    every = every.where(contains(FileRow.name, wanted.search)).limit(MOST_COUNTED + 1)
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


def _order(wanted: FileFilter, sort: Sort, *, are_few: bool) -> list[InstrumentedAttribute[Any]]:
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
    """How many files, and whether that is exact: of filtered ones no more than ``MOST_COUNTED`` are counted."""
    if wanted.is_none:
        total = session.scalar(select(TotalsRow.files).where(TotalsRow.organisation_id == bound_to(session))) or 0
        return total, True
    if looked_for is not None and len(wanted.search) < SHORTEST:
        order = _order(wanted, Sort.CREATED_AT, are_few=False)[0]
        near, is_all = count_near(session, _filtered(select(FileRow.number), wanted).order_by(order.desc()), looked_for)
        return min(near, MOST_COUNTED), is_all and near <= MOST_COUNTED
    if wanted == FileFilter(tags=wanted.tags):
        some = _tagged(wanted.tags)  # of which the index has all
    else:
        some = _filtered(select(FileRow.number), wanted, looked_for)
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


def _filtered(statement: Select[Any], wanted: FileFilter, looked_for: ColumnElement[bool] | None = None) -> Select[Any]:
    if wanted.status:
        statement = statement.join(PinRow, PinRow.id == FileRow.pin_id)
        statement = statement.where(PinRow.of_file, PinRow.status.in_(wanted.status))
    if looked_for is not None:
        statement = statement.where(looked_for)
    if wanted.content_type.endswith("/*"):
        family = wanted.content_type[:-1]
        statement = statement.where(FileRow.content_type >= family, FileRow.content_type < family[:-1] + "0")
    elif wanted.content_type:
        statement = statement.where(FileRow.content_type == wanted.content_type)
    if wanted.tags:
        statement = statement.where(FileRow.number.in_(_tagged(wanted.tags)))
    if wanted.project_id is not None:
        statement = statement.where(FileRow.project_id == wanted.project_id)
    return statement


def _tagged(tags: Sequence[str]) -> Select[Any]:
    """Numbers of the files that have all these tags."""
    first, *others = tags
    statement = select(FileTagRow.file_number).where(FileTagRow.tag == first).correlate(None)
    return statement.where(FileTagRow.file_number.in_(_tagged(others))) if others else statement
