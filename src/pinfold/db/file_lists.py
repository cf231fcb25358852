"""Queries that list files: filtered, in any order, by page or behind the last one seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Select, false, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from pinfold.db.files import Rows
from pinfold.db.models import ContentTypeTotalsRow, FileRow, FileTagRow, PinRow, RootTrafficRow, TotalsRow
from pinfold.db.scope import bound_to
from pinfold.db.search import NameSearch

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
    """One page."""

    rows: list[Rows]
    has_more: bool

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
    search = _search(session, wanted)
    if search is not None and search.is_ordered and descending and wanted.is_search_only and sort is Sort.CREATED_AT:
        newest = search.newest(limit + 1, before=None if after is None else after.number, offset=offset)
        return Found(rows_of(session, newest[:limit]), len(newest) > limit)
    if wanted.is_by_status_only and sort is Sort.CREATED_AT:
        return _page_by_status(session, wanted.status, limit, descending, offset, after)
    columns, is_keyed = _order(wanted, sort, search)
    statement = _filtered(select(FileRow.number), wanted, search)
    if after is not None:
        values = ([after.value] if is_keyed else []) + ([after.number] if FileRow.number in columns else [])
        here = tuple_(*columns)
        there = tuple_(*(literal(value, column.type) for value, column in zip(values, columns, strict=True)))
        statement = statement.where(here < there if descending else here > there)
    if offset and columns == [FileRow.created_at]:
        statement, offset = _from_far_down(session, statement, FileRow.created_at, descending, offset), 0
    keys: list[Any] = list(columns)
    if search is not None and search.is_complete:  # few rows, so they are sorted: no index of this order is walked
        keys = [func.coalesce(key, key) for key in keys]
    ordered = statement.order_by(*(key.desc() if descending else key.asc() for key in keys))
    numbers = session.scalars(ordered.offset(offset).limit(limit + 1)).all()
    return Found(rows_of(session, numbers[:limit]), len(numbers) > limit)


def _order(wanted: FileFilter, sort: Sort, search: NameSearch | None) -> tuple[list[InstrumentedAttribute[Any]], bool]:
    """The columns to sort by, and whether the first is what ``After.value`` was read from.

    Times of creation and numbers grow together in an organisation, and a file and its pin were made at one time: so
    each filter can be read in the order of an index of its own.
    """
    if sort is Sort.NAME:
        return [FileRow.name, FileRow.number], True
    if sort is Sort.SIZE:
        return [FileRow.size_bytes, FileRow.number], True
    if wanted.status:
        return [PinRow.created_at], True
    is_rare = search is not None and not search.is_common
    if wanted.tags or is_rare or wanted.content_type:
        return [FileRow.number], False
    return [FileRow.created_at], True


def rows_of(session: Session, numbers: Sequence[int]) -> list[Rows]:
    """The files of these numbers with their pin requests, in this order."""
    rows = session.execute(
        select(FileRow, PinRow).join(PinRow, PinRow.id == FileRow.pin_id).where(FileRow.number.in_(numbers))
    )
    by_number = {row[0].number: (row[0], row[1]) for row in rows}
    return [by_number[number] for number in numbers if number in by_number]


def count(session: Session, wanted: FileFilter) -> tuple[int, bool]:
    """How many files, and whether that is exact: of filtered ones no more than ``MOST_COUNTED`` are counted."""
    if wanted.is_none:
        total = session.scalar(select(TotalsRow.files).where(TotalsRow.organisation_id == bound_to(session))) or 0
        return total, True
    if wanted.is_by_status_only:  # each such pin is one file's
        some = select(PinRow.number).where(PinRow.of_file, PinRow.status.in_(wanted.status))
        return _up_to_most(session.scalar(select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())))
    search = _search(session, wanted)
    if search is not None and search.is_known and wanted.is_search_only:
        return _up_to_most(search.found)
    some = _filtered(select(FileRow.number), wanted, search)
    return _up_to_most(session.scalar(select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())))


def _up_to_most(found: int | None) -> tuple[int, bool]:
    counted = found or 0
    return min(counted, MOST_COUNTED), counted <= MOST_COUNTED


def _search(session: Session, wanted: FileFilter) -> NameSearch | None:
    return NameSearch(session, FileRow, wanted.search) if wanted.search else None


def _from_far_down(session: Session, statement: Select[Any], order: Any, descending: bool, offset: int) -> Select[Any]:
    """What is behind the first ``offset`` by a time of creation, of which nothing is read but what the index has."""
    times = statement.with_only_columns(order).order_by(order.desc() if descending else order.asc())
    first = session.scalar(times.offset(offset).limit(1))
    if first is None:
        return statement.where(false())
    return statement.where(order <= first if descending else order >= first)


def _page_by_status(
    session: Session, status: Sequence[str], limit: int, descending: bool, offset: int, after: After | None
) -> Found:
    """Along the pins' index alone; a file and its pin were made at one time."""
    pins = select(PinRow.id).where(PinRow.of_file, PinRow.status.in_(status))
    if after is not None:
        there = literal(after.value, PinRow.created_at.type)
        pins = pins.where(PinRow.created_at < there if descending else PinRow.created_at > there)
    if offset:
        pins, offset = _from_far_down(session, pins, PinRow.created_at, descending, offset), 0
    order = PinRow.created_at.desc() if descending else PinRow.created_at.asc()
    ids = session.scalars(pins.order_by(order).offset(offset).limit(limit + 1)).all()
    rows = session.execute(
        select(FileRow, PinRow).join(PinRow, PinRow.id == FileRow.pin_id).where(FileRow.pin_id.in_(ids[:limit]))
    )
    by_pin: dict[str, Rows] = {row[1].id: (row[0], row[1]) for row in rows}
    return Found([by_pin[pin_id] for pin_id in ids[:limit] if pin_id in by_pin], len(ids) > limit)


def _filtered(statement: Select[Any], wanted: FileFilter, search: NameSearch | None) -> Select[Any]:
    if wanted.status:
        statement = statement.join(PinRow, PinRow.id == FileRow.pin_id)
        statement = statement.where(PinRow.of_file, PinRow.status.in_(wanted.status))
    if search is not None:
        statement = statement.where(search.condition())
    if wanted.content_type.endswith("/*"):
        family = wanted.content_type[:-1]
        statement = statement.where(FileRow.content_type >= family, FileRow.content_type < family[:-1] + "0")
    elif wanted.content_type:
        statement = statement.where(FileRow.content_type == wanted.content_type)
    for tag in wanted.tags:
        tagged = select(FileTagRow.file_number).where(FileTagRow.tag == tag)
        statement = statement.where(FileRow.number.in_(tagged))
    if wanted.project_id is not None:
        statement = statement.where(FileRow.project_id == wanted.project_id)
    return statement


def popular(session: Session, since: date, limit: int) -> list[tuple[Rows, int, int]]:
    """Files that the gateway served most often since a day, with its requests and bytes, most requests first."""
    requests, egress = func.sum(RootTrafficRow.requests), func.sum(RootTrafficRow.egress_bytes)
    served = session.execute(
        select(FileRow.number, requests, egress)
        .join(RootTrafficRow, RootTrafficRow.root == FileRow.root)
        .where(RootTrafficRow.day >= since)
        .group_by(FileRow.number)
        .order_by(requests.desc(), FileRow.number.desc())
        .limit(limit)
    ).all()
    rows = rows_of(session, [number for number, _, _ in served])
    traffic = {number: (int(asked), int(sent)) for number, asked, sent in served}
    return [(row, *traffic[row[0].number]) for row in rows]


def content_types(session: Session, limit: int) -> list[tuple[str, int, int]]:
    """Per content type its files and their bytes, most bytes first."""
    row = ContentTypeTotalsRow
    found = session.execute(
        select(row.content_type, row.files, row.bytes)
        .where(row.files > 0)
        .order_by(row.bytes.desc(), row.content_type)
        .limit(limit)
    )
    return [(kind, files, size) for kind, files, size in found]


def totals(session: Session) -> tuple[int, int]:
    """How many files there are, and their bytes together, without those of pin requests."""
    row = ContentTypeTotalsRow
    files, size = session.execute(
        select(func.coalesce(func.sum(row.files), 0), func.coalesce(func.sum(row.bytes), 0))
    ).one()
    return int(files), int(size)
