"""One change of one organisation: what every transaction that changes something of a tenant begins with.

1. The organisation's row of totals is locked: changes of one organisation have one order, on every database.
2. Times of creation are given out so that no two of them are equal.
3. What was done is added to the audit chain, and to the outbox where a webhook wants to know.
4. Counters move with the rows that they count.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.core.errors import QuotaExceeded, RecordNotFound
from pinfold.db import scope
from pinfold.db.dialect import for_update
from pinfold.db.identifiers import new_id
from pinfold.db.models import (
    AuditRow,
    OrganisationRow,
    PlanRow,
    TotalsRow,
    WebhookDeliveryRow,
    WebhookEventRow,
    WebhookRow,
)

_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, and from where."""

    kind: str
    """``user``, ``token`` or ``system``."""
    id: str | None
    name: str
    address: str = ""
    request_id: str = ""


SYSTEM: Final = Actor("system", None, "pinfold")


@dataclass(frozen=True, slots=True)
class Quota:
    """What an organisation may keep; None is no limit."""

    bytes: int | None
    files: int | None
    pins: int | None
    requests_per_day: int | None


class Change:
    """A change under way; made by ``begin``, and over with the transaction."""

    def __init__(self, session: Session, totals: TotalsRow, actor: Actor, now: datetime) -> None:
        self.session = session
        self.totals = totals
        self.actor = actor
        self.now = now
        self.organisation_id = totals.organisation_id

    def created_at(self) -> datetime:
        """The time of a new row: now, or just after the row before."""
        last = self.totals.last_created_at
        self.totals.last_created_at = self.now if last is None or last < self.now else last + _TICK
        return self.totals.last_created_at

    def audit(self, action: str, target: str, **detail: Any) -> None:
        """Put what was done into the chain; ``detail`` holds no secret."""
        totals = self.totals
        totals.audit_number += 1
        row = AuditRow(
            organisation_id=self.organisation_id,
            number=totals.audit_number,
            at=self.now,
            actor_kind=self.actor.kind,
            actor_id=self.actor.id,
            actor_name=self.actor.name,
            action=action,
            target=target,
            address=self.actor.address,
            request_id=self.actor.request_id,
            detail=json.dumps(detail, sort_keys=True, ensure_ascii=False, default=str),
            previous_hash=totals.audit_hash,
        )
        row.hash = totals.audit_hash = audit_hash(row)
        self.session.add(row)

    def tell(self, kind: str, payload: dict[str, Any]) -> None:
        """Put an event into the outbox for every webhook that wants it."""
        wanting = [
            webhook_id
            for webhook_id, events in self.session.execute(
                select(WebhookRow.id, WebhookRow.events).where(WebhookRow.status == "active")
            )
            if not events or kind in events
        ]
        if not wanting:
            return
        event = WebhookEventRow(
            id=new_id(), organisation_id=self.organisation_id, kind=kind, payload=payload, created_at=self.now
        )
        self.session.add(event)
        self.session.flush()
        for webhook_id in wanting:
            self.session.add(
                WebhookDeliveryRow(
                    organisation_id=self.organisation_id,
                    webhook_id=webhook_id,
                    event_id=event.id,
                    due_at=self.now,
                    created_at=self.now,
                )
            )

    def count(self, *, files: int = 0, pins: int = 0, logical_bytes: int = 0) -> None:
        """Move the counters."""
        self.totals.files += files
        self.totals.pins += pins
        self.totals.logical_bytes += logical_bytes

    def require_room(self, *, files: int = 0, pins: int = 0, logical_bytes: int = 0) -> None:
        """Make sure that so much more fits into the quota, what is reserved counted as used.  Raises: QuotaExceeded."""
        quota, totals = quota_of(self.session, self.organisation_id), self.totals
        for noun, limit, used, more in (
            ("bytes", quota.bytes, totals.logical_bytes + totals.reserved_bytes, logical_bytes),
            ("files", quota.files, totals.files + totals.reserved_files, files),
            ("pins", quota.pins, totals.pins, pins),
        ):
            if more and limit is not None and used + more > limit:
                raise QuotaExceeded(
                    f"{more:,} {noun} more do not fit into the quota: {used:,} of {limit:,} {noun} are used or reserved"
                )


def begin(session: Session, actor: Actor, now: datetime) -> Change:
    """A change of the organisation that the session is bound to.  Raises: RecordNotFound, where it is gone."""
    return begin_for(session, scope.bound_to(session), actor, now)


def begin_for(session: Session, organisation_id: str, actor: Actor, now: datetime) -> Change:
    """The same for any organisation, in a session for everybody; of several, take them in the order of their ids."""
    statement = for_update(select(TotalsRow).where(TotalsRow.organisation_id == organisation_id))
    totals = session.scalar(statement)
    if totals is None:
        raise RecordNotFound("this organisation is not there any more")
    return Change(session, totals, actor, now)


def quota_of(session: Session, organisation_id: str) -> Quota:
    """What an organisation may keep: its own quotas where set, else its plan's."""
    own, plan = session.execute(
        select(OrganisationRow, PlanRow)
        .join(PlanRow, PlanRow.name == OrganisationRow.plan)
        .where(OrganisationRow.id == organisation_id)
    ).one()

    def first(one: int | None, other: int | None) -> int | None:
        return other if one is None else one

    return Quota(
        bytes=first(own.quota_bytes, plan.quota_bytes),
        files=first(own.quota_files, plan.quota_files),
        pins=first(own.quota_pins, plan.quota_pins),
        requests_per_day=first(own.quota_requests_per_day, plan.quota_requests_per_day),
    )


def audit_hash(row: AuditRow) -> bytes:
    """The hash that a row of the audit log must have: over all that it says and the hash of the row before."""
    said = [
        row.organisation_id,
        row.number,
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.actor_kind,
        row.actor_id,
        row.actor_name,
        row.action,
        row.target,
        row.address,
        row.request_id,
        row.detail,
        row.previous_hash.hex(),
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).digest()
