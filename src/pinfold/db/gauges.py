"""The numbers of the whole platform that are looked up for ``/metrics``; each costs little however much there is."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db import webhooks
from pinfold.db.models import PinRow, ReconciliationRow, TotalsRow

_UNSETTLED = ("queued", "pinning", "failed")


class Numbers(NamedTuple):
    """The platform in numbers; ages in seconds, 0 where nothing is due."""

    organisations: int
    files: int
    logical_bytes: int
    pins: dict[str, int]
    """By status."""
    reconciliations: int
    reconciliations_age_s: float
    deliveries: int
    deliveries_age_s: float


def numbers(session: Session, now: datetime) -> Numbers:
    """How it stands."""
    organisations, files, pins, logical_bytes = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(TotalsRow.files), 0),
            func.coalesce(func.sum(TotalsRow.pins), 0),
            func.coalesce(func.sum(TotalsRow.logical_bytes), 0),
        ).select_from(TotalsRow)
    ).one()
    # The condition is the one of the index of those that are not pinned: the pinned ones are never counted row by row.
    unsettled = session.execute(
        select(PinRow.status, func.count()).where(PinRow.status != "pinned").group_by(PinRow.status)
    )
    by_status = dict.fromkeys(_UNSETTLED, 0) | dict(unsettled.all())
    by_status["pinned"] = max(0, int(files) + int(pins) - sum(by_status.values()))
    waiting, due = session.execute(
        select(func.count(), func.min(ReconciliationRow.due_at)).select_from(ReconciliationRow)
    ).one()
    deliveries, delivery_due = webhooks.backlog(session)
    return Numbers(
        organisations=organisations,
        files=int(files),
        logical_bytes=int(logical_bytes),
        pins=by_status,
        reconciliations=waiting,
        reconciliations_age_s=_age(due, now),
        deliveries=deliveries,
        deliveries_age_s=_age(delivery_due, now),
    )


def _age(due: datetime | None, now: datetime) -> float:
    return 0.0 if due is None else max(0.0, (now - due).total_seconds())
