"""Queries about what organisations keep and do, day by day (UTC)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from pinfold.db import dialect
from pinfold.db.models import FileRow, OrganisationRow, PinRow, RootTrafficRow, TotalsRow, UsageDayRow

_AT_ONCE: Final = 500  # values in one statement: SQLite takes 32,766, and plans stay small

COUNTED: Final = ("uploads", "uploaded_bytes", "requests", "gateway_requests", "gateway_egress_bytes")
"""Columns that grow over a day; the others say how it stood when it was measured last."""


# -- counting --------------------------------------------------------------------------------------------------------


def add(session: Session, day: date, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Add to the day of each organisation: its id -> what of ``COUNTED``, and how much more."""
    there = _existing(session, sorted(counts))
    rows = [
        {"organisation_id": one, "day": day} | {name: counts[one].get(name, 0) for name in COUNTED} for one in there
    ]
    _add(session, rows)


def _add(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        statement = dialect.insert(session, UsageDayRow).values(rows[start : start + _AT_ONCE])
        more = {name: getattr(UsageDayRow, name) + statement.excluded[name] for name in COUNTED}
        session.execute(statement.on_conflict_do_update(index_elements=["organisation_id", "day"], set_=more))


def add_upload(session: Session, organisation_id: str, day: date, size_bytes: int, files: int = 1) -> None:
    """Count what was uploaded, in the transaction that records it."""
    nothing = dict.fromkeys(COUNTED, 0)
    day_of = {"organisation_id": organisation_id, "day": day}
    _add(session, [{**day_of, **nothing, "uploads": files, "uploaded_bytes": size_bytes}])


def add_traffic(session: Session, day: date, traffic: Mapping[str, tuple[int, int]]) -> None:
    """Count what the gateway served: root -> requests and bytes.

    Every organisation that keeps a root is credited with all of it; of roots that nobody keeps nothing is written.
    """
    keepers = _keepers(session, sorted(traffic))
    rows = [
        {"root": root, "day": day, "requests": traffic[root][0], "egress_bytes": traffic[root][1]}
        for root in sorted(keepers)  # in one order: two gateways that write at once must not wait in a ring
    ]
    for start in range(0, len(rows), _AT_ONCE):
        statement = dialect.insert(session, RootTrafficRow).values(rows[start : start + _AT_ONCE])
        more = {
            "requests": RootTrafficRow.requests + statement.excluded["requests"],
            "egress_bytes": RootTrafficRow.egress_bytes + statement.excluded["egress_bytes"],
        }
        session.execute(statement.on_conflict_do_update(index_elements=["root", "day"], set_=more))
    credit: dict[str, dict[str, int]] = {}
    for root, organisations in keepers.items():
        for one in organisations:
            counts = credit.setdefault(one, {"gateway_requests": 0, "gateway_egress_bytes": 0})
            counts["gateway_requests"] += traffic[root][0]
            counts["gateway_egress_bytes"] += traffic[root][1]
    add(session, day, credit)


def _existing(session: Session, organisation_ids: Sequence[str]) -> list[str]:
    """Those that were not removed meanwhile, in the order of their ids."""
    there: list[str] = []
    for start in range(0, len(organisation_ids), _AT_ONCE):
        some = organisation_ids[start : start + _AT_ONCE]
        there += session.scalars(select(OrganisationRow.id).where(OrganisationRow.id.in_(some)))
    return sorted(there)


def _keepers(session: Session, roots: Sequence[str]) -> dict[str, list[str]]:
    """The organisations that keep each root, those that nobody keeps left out."""
    found: dict[str, list[str]] = {}
    for start in range(0, len(roots), _AT_ONCE):
        some = roots[start : start + _AT_ONCE]
        pairs = session.execute(
            select(PinRow.root, PinRow.organisation_id)
            .where(PinRow.root.in_(some), PinRow.status == "pinned")
            .distinct()
        )
        for root, organisation_id in pairs:
            found.setdefault(root, []).append(organisation_id)
    return found


def prune_traffic(session: Session, before: date) -> None:
    """Remove what the gateway served before a day."""
    session.execute(delete(RootTrafficRow).where(RootTrafficRow.day < before))


# -- measuring -------------------------------------------------------------------------------------------------------


def organisations(session: Session) -> Sequence[str]:
    """The ids of all organisations, in their order."""
    return session.scalars(select(OrganisationRow.id).order_by(OrganisationRow.id)).all()


def pinned_roots(session: Session, organisation_id: str, after: str, limit: int) -> Sequence[str]:
    """Roots that an organisation keeps, each once, in their order from behind ``after`` on."""
    return session.scalars(
        select(PinRow.root)
        .where(PinRow.organisation_id == organisation_id, PinRow.root > after, PinRow.status == "pinned")
        .distinct()
        .order_by(PinRow.root)
        .limit(limit)
    ).all()


def put_measured(session: Session, day: date, now: datetime, measured: Mapping[str, tuple[int, int]]) -> None:
    """Write down how each organisation stands: its id -> unique and shared bytes; the rest comes from its totals."""
    for start in range(0, len(ids := sorted(measured)), _AT_ONCE):
        totals = session.scalars(
            select(TotalsRow)
            .where(TotalsRow.organisation_id.in_(ids[start : start + _AT_ONCE]))
            .order_by(TotalsRow.organisation_id)
        )
        rows = [
            {
                "organisation_id": one.organisation_id,
                "day": day,
                "logical_bytes": one.logical_bytes,
                "unique_bytes": measured[one.organisation_id][0],
                "shared_bytes": measured[one.organisation_id][1],
                "files": one.files,
                "pins": one.pins,
                "measured_at": now,
                **dict.fromkeys(COUNTED, 0),
            }
            for one in totals
        ]
        if rows:
            statement = dialect.insert(session, UsageDayRow).values(rows)
            new = {name: statement.excluded[name] for name in rows[0] if name not in (*COUNTED, *_KEY)}
            session.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=new))


_KEY: Final = ("organisation_id", "day")


# -- reading ---------------------------------------------------------------------------------------------------------


def days(session: Session, first: date, last: date) -> Sequence[UsageDayRow]:
    """The days of the organisation, the oldest first."""
    return session.scalars(
        select(UsageDayRow).where(UsageDayRow.day >= first, UsageDayRow.day <= last).order_by(UsageDayRow.day)
    ).all()


def last_measured(session: Session) -> UsageDayRow | None:
    """The newest day of the organisation on which its bytes were measured."""
    return session.scalar(
        select(UsageDayRow).where(UsageDayRow.measured_at.is_not(None)).order_by(UsageDayRow.day.desc()).limit(1)
    )


def ever(session: Session) -> dict[str, int]:
    """All that the organisation ever did, by the names of ``COUNTED``."""
    sums: Any = select(*(func.coalesce(func.sum(getattr(UsageDayRow, name)), 0) for name in COUNTED)).select_from(
        UsageDayRow
    )
    return {name: int(value) for name, value in zip(COUNTED, session.execute(sums).one(), strict=True)}


def requests_on(session: Session, organisation_id: str, day: date) -> int:
    """How many requests of an organisation were written down for a day."""
    found = session.scalar(
        select(UsageDayRow.requests).where(UsageDayRow.organisation_id == organisation_id, UsageDayRow.day == day)
    )
    return found or 0


def totals(session: Session) -> TotalsRow | None:
    """The counters of the organisation, as they are now."""
    return session.scalar(select(TotalsRow))


# -- what would be freed ---------------------------------------------------------------------------------------------


def pins_of_files(session: Session, file_ids: Sequence[str]) -> dict[str, tuple[str, str, int]]:
    """File id -> its pin's id, its root and its size, of the organisation's files among these."""
    found: dict[str, tuple[str, str, int]] = {}
    for some in _parts(file_ids):
        rows = session.execute(
            select(FileRow.id, FileRow.pin_id, FileRow.root, FileRow.block_bytes).where(FileRow.id.in_(some))
        )
        found |= {one: (pin_id, root, size) for one, pin_id, root, size in rows}
    return found


def pins_by_id(session: Session, pin_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Pin id -> its root and what it counts, of the organisation's pin requests among these that no file made."""
    found: dict[str, tuple[str, int]] = {}
    for some in _parts(pin_ids):
        rows = session.execute(
            select(PinRow.id, PinRow.root, PinRow.size_bytes).where(PinRow.id.in_(some), PinRow.of_file.is_(False))
        )
        found |= {one: (root, size) for one, root, size in rows}
    return found


def pins_of_roots(session: Session, roots: Sequence[str]) -> dict[str, list[tuple[str, int, int | None]]]:
    """Root -> the organisation's pins of it: their ids, what they count, and the size of the file that made each."""
    found: dict[str, list[tuple[str, int, int | None]]] = {}
    for some in _parts(roots):
        rows = session.execute(
            select(PinRow.id, PinRow.root, PinRow.size_bytes, FileRow.block_bytes)
            .outerjoin(FileRow, FileRow.pin_id == PinRow.id)
            .where(PinRow.root.in_(some))
        )
        for one, root, pin_size, file_size in rows:
            found.setdefault(root, []).append((one, pin_size, file_size))
    return found


def roots_beside(session: Session, without: Collection[str]) -> set[str]:
    """Every root that a pin of the organisation names, other than the pins ``without``."""
    rows = session.execute(select(PinRow.id, PinRow.root))
    return {root for one, root in rows if one not in without}


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
