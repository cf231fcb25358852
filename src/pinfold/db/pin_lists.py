"""Lists of an organisation's pin requests, newest first.

A list must be quick however many requests there are, so each is read along an index that has its order: one index range
for every combination of the values that are asked for, merged.  Pages end at times of creation, which no two requests
of an organisation share.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from pinfold.db import dialect, newest_pins
from pinfold.db.models import PinMetaRow, PinRow, TotalsRow
from pinfold.db.pins import meta_digest
from pinfold.db.search import NameSearch, count_near

COUNTED: Final = 10_000
"""Beyond so many, entries of a filtered list are not counted."""
_STATUSES: Final = frozenset({"queued", "pinning", "pinned", "failed"})


class Match(StrEnum):
    """How names are compared."""

    EXACT = "exact"
    """The whole name, as it is written."""
    IEXACT = "iexact"
    """The whole name, whatever its case."""
    PARTIAL = "partial"
    """A part of the name, as it is written."""
    IPARTIAL = "ipartial"
    """A part of the name, whatever its case."""


@dataclass(frozen=True, slots=True)
class PinFilter:
    """Which requests a list has; what is empty or None filters nothing."""

    roots: Sequence[str] = ()
    name: str | None = None
    match: Match = Match.EXACT
    statuses: frozenset[str] = frozenset()
    meta: Mapping[str, str] = field(default_factory=dict)
    before: datetime | None = None
    after: datetime | None = None
    with_files: bool = False
    """Whether requests that files made are there as well."""

    @property
    def is_by_status_only(self) -> bool:
        """Whether nothing but statuses is asked for."""
        return not (self.roots or self.name is not None or self.meta or self.before or self.after or self.with_files)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list."""

    rows: Sequence[PinRow]
    has_more: bool
    total: int
    is_exact: bool


def page(session: Session, wanted: PinFilter, limit: int, *, offset: int = 0, cursor: datetime | None = None) -> Found:
    """``limit`` requests, of those before ``cursor``, or after the first ``offset``; and how many there are in all."""
    if wanted.is_by_status_only and not offset:
        others = _others(wanted.statuses)
        rows, left_out, every = newest_pins.newest(
            session, _narrowed(wanted.statuses), limit + 1, cursor, counted=others, most=COUNTED + 1
        )
        total, is_exact = _total_by_status(session, wanted.statuses, left_out, every)
        return Found(rows[:limit], len(rows) > limit, total, is_exact)
    ranges = _ranges(session, wanted)
    if offset:
        rows = _rows_far_down(session, ranges, wanted, offset, limit + 1)
    else:
        rows = _rows(session, ranges, wanted, limit + 1, *([] if cursor is None else [ranges.order < cursor]))
    total, is_exact = _total(session, wanted, ranges)
    return Found(rows[:limit], len(rows) > limit, total, is_exact)


def _narrowed(statuses: frozenset[str]) -> frozenset[str]:
    return statuses if statuses != _STATUSES else frozenset()


# -- ranges ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Selects of pins that together are the list, and the column by which each is in order."""

    selects: Sequence[Select[Any]]
    order: Any
    looked_for: ColumnElement[bool] | None = None
    """What is asked of their names besides, where no index knows the term."""
    counted: Select[Any] | None = None
    """As many rows, where those can be had from an index alone."""


def _ranges(session: Session, wanted: PinFilter) -> _Ranges:
    rest: list[ColumnElement[bool]] = []
    search: NameSearch | None = None
    statuses = newest_pins.in_order(_narrowed(wanted.statuses))
    kinds = [False, True] if wanted.with_files else [False]
    if wanted.roots or wanted.meta or (wanted.name is not None and wanted.match is Match.EXACT):
        # These indexes are narrow enough; the rest is looked at row by row.  Requests that files made have no metadata.
        if not wanted.meta:
            rest.append(PinRow.of_file.in_(kinds))
        if statuses:
            rest.append(PinRow.status.in_(statuses))
    if wanted.name is not None and (wanted.roots or wanted.meta or wanted.match is not Match.EXACT):
        search = NameSearch(session, PinRow, wanted.name, kinds)
        rest.append(_has_name(session, search, wanted.name, wanted.match))
    if wanted.meta:
        return _by_meta(wanted, rest)
    if search is not None and search.is_complete and not wanted.roots:
        if statuses:
            rest.append(PinRow.status.in_(statuses))
        return _Ranges([_select(*rest)], PinRow.created_at)
    if wanted.roots:
        return _Ranges([_select(PinRow.root == root, *rest) for root in dict.fromkeys(wanted.roots)], PinRow.created_at)
    if wanted.name is not None and wanted.match is Match.EXACT:
        return _Ranges([_select(PinRow.name == wanted.name, *rest)], PinRow.created_at)
    looked_for = rest.pop() if search is not None and not search.is_known else None
    each: Iterable[tuple[bool, str | None]] = itertools.product(kinds, statuses or (None,))
    return _Ranges(
        [
            _select(PinRow.of_file.is_(kind), *([PinRow.status == status] if status else []), *rest)
            for kind, status in each
        ],
        PinRow.created_at,
        looked_for,
    )


def _by_meta(wanted: PinFilter, rest: Sequence[ColumnElement[bool]]) -> _Ranges:
    """Along the index of the first entry, the other entries looked up."""
    first, *others = sorted(meta_digest(key, value) for key, value in wanted.meta.items())
    also = aliased(PinMetaRow)
    entries = [
        PinMetaRow.digest == first,
        *(
            select(also.pin_number)
            .where(also.digest == other, also.created_at == PinMetaRow.created_at)
            .correlate(PinMetaRow)
            .exists()
            for other in others
        ),
    ]
    conditions = [*rest, *([PinRow.root.in_(wanted.roots)] if wanted.roots else [])]
    found = _select(*conditions).join(PinMetaRow, PinMetaRow.pin_number == PinRow.number).where(*entries)
    counted = None if conditions else select(PinMetaRow.created_at).where(*entries)
    return _Ranges([found], PinMetaRow.created_at, counted=counted)


def _select(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(PinRow).where(*conditions)


def _has_name(session: Session, search: NameSearch, name: str, match: Match) -> ColumnElement[bool]:
    if match is Match.EXACT:
        return PinRow.name == name
    alike = search.condition()
    if match is Match.IPARTIAL:
        return alike
    if match is Match.IEXACT:
        return alike & (func.length(PinRow.name) == len(name))
    return alike & dialect.has_part(session, PinRow.name, name)


# -- reading and counting --------------------------------------------------------------------------------------------


def _rows(
    session: Session, ranges: _Ranges, wanted: PinFilter, limit: int, *bounds: ColumnElement[bool]
) -> Sequence[PinRow]:
    bounds += tuple(_bounds(ranges, wanted))
    pages = [
        session.scalars(each.where(*bounds).order_by(ranges.order.desc()).limit(limit)).all() for each in ranges.selects
    ]
    if len(pages) == 1:
        return pages[0]
    return newest_pins.merged(pages, lambda row: row.created_at, 0, limit)


def _rows_far_down(session: Session, ranges: _Ranges, wanted: PinFilter, offset: int, limit: int) -> Sequence[PinRow]:
    """The same behind many others, of which nothing is read but the times, which the index has."""
    pages = []
    for each in ranges.selects:
        times = each.with_only_columns(ranges.order).where(*_bounds(ranges, wanted))
        times = times.order_by(ranges.order.desc())
        if len(ranges.selects) == 1:
            times, offset = times.offset(offset), 0
        pages.append(session.scalars(times.limit(offset + 1)).all())
    first = newest_pins.merged(pages, lambda time: time, offset, offset + 1)
    return _rows(session, ranges, wanted, limit, ranges.order <= first[0]) if first else ()


def _bounds(ranges: _Ranges, wanted: PinFilter) -> list[ColumnElement[bool]]:
    return _times(ranges.order, wanted) + ([] if ranges.looked_for is None else [ranges.looked_for])


def _times(order: Any, wanted: PinFilter) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if wanted.before is not None:
        bounds.append(order < wanted.before)
    if wanted.after is not None:
        bounds.append(order > wanted.after)
    return bounds


def _total(session: Session, wanted: PinFilter, ranges: _Ranges) -> tuple[int, bool]:
    """How many entries there are, and whether that is exact."""
    if wanted.is_by_status_only:
        left_out, every = newest_pins.count(session, _others(wanted.statuses), COUNTED + 1)
        return _total_by_status(session, wanted.statuses, left_out, every)
    if wanted == PinFilter(with_files=True):
        return session.scalar(select(TotalsRow.pins + TotalsRow.files)) or 0, True
    if ranges.looked_for is not None:
        return _count_near(session, ranges, ranges.looked_for, wanted)
    if ranges.counted is not None:
        some = ranges.counted.where(*_times(ranges.order, wanted)).limit(COUNTED + 1)
        counted = session.scalar(select(func.count()).select_from(some.subquery())) or 0
    else:
        counted = _count(session, ranges.selects, ranges.order, wanted, COUNTED + 1)
    return min(counted, COUNTED), counted <= COUNTED


def _count_near(session: Session, ranges: _Ranges, fits: ColumnElement[bool], wanted: PinFilter) -> tuple[int, bool]:
    newest = [each.where(*_times(ranges.order, wanted)).order_by(ranges.order.desc()) for each in ranges.selects]
    counted = [count_near(session, each, fits) for each in newest]
    total = sum(found for found, _ in counted)
    return min(total, COUNTED), total <= COUNTED and all(is_exact for _, is_exact in counted)


def _others(statuses: frozenset[str]) -> frozenset[str]:
    return _STATUSES - statuses if statuses else frozenset()


def _total_by_status(session: Session, statuses: frozenset[str], left_out: int, every: int) -> tuple[int, bool]:
    if left_out <= COUNTED:  # usually nearly everything is pinned
        return max(0, every - left_out), True
    counted, _ = newest_pins.count(session, statuses, COUNTED + 1)
    return min(counted, COUNTED), counted <= COUNTED


def _count(session: Session, selects: Sequence[Select[Any]], order: Any, wanted: PinFilter, limit: int) -> int:
    counted = 0
    for each in selects:
        some = each.with_only_columns(PinRow.number).where(*_times(order, wanted)).limit(limit - counted)
        counted += session.scalar(select(func.count()).select_from(some.subquery())) or 0
        if counted >= limit:
            break
    return counted
