"""One change of one organisation: what every transaction that changes something of a tenant begins with.

1. The organisation's row of totals is locked: changes of one organisation have one order, on every database.
2. Times of creation are given out so that no two of them are equal.
3. What was done is added to the audit chain, and to the outbox where a webhook wants to know.
4. Counters move with the rows that they count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.orm import Session

from pinfold.core.errors import QuotaExceeded, RecordNotFound
from pinfold.db import ledger, scope, webhooks
from pinfold.db.models import (
    AuditRow,
    OrganisationRow,
    PlanRow,
    TotalsRow,
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


WARN_AT: Final = (95, 80)
"""Per cent of a quota, the highest first: whoever crosses one is told."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What an organisation may keep; None is no limit."""

    bytes: int | None
    files: int | None
    pins: int | None
    requests_per_day: int | None

    @property
    def is_none(self) -> bool:
        """Whether nothing that is kept has a limit."""
        return self.bytes is None and self.files is None and self.pins is None


class Change:
    """A change under way; made by ``begin``, and over with the transaction."""

    def __init__(self, session: Session, totals: TotalsRow, quota: Quota, actor: Actor, now: datetime) -> None:
        self.session = session
        self.totals = totals
        self.quota = quota
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
        row: dict[str, Any] = {
            "organisation_id": self.organisation_id,
            "number": totals.audit_number,
            "at": self.now,
            "actor_kind": self.actor.kind,
            "actor_id": self.actor.id,
            "actor_name": self.actor.name,
            "action": action,
            "target": target,
            "address": self.actor.address,
            "request_id": self.actor.request_id,
            "detail": json.dumps(detail, sort_keys=True, ensure_ascii=False, default=str) if detail else "{}",
            "previous_hash": totals.audit_hash,
        }
        row["hash"] = totals.audit_hash = _hash_of(*row.values())
        ledger.of(self.session).add_audit(row)

    def tell(self, kind: str, payload: dict[str, Any]) -> None:
        """Put an event into the outbox for every webhook that wants it; nothing is asked where there is none."""
        self.tell_all(kind, [payload])

    def tell_all(self, kind: str, payloads: Sequence[dict[str, Any]]) -> None:
        """The same for many events of a kind."""
        if not self.totals.webhooks or not payloads:
            return
        wanting = [webhook_id for webhook_id, kinds in self._active_webhooks() if not kinds or kind in kinds]
        if wanting:
            webhooks.put_all(self.session, self.organisation_id, kind, payloads, wanting, self.now)

    def _active_webhooks(self) -> list[tuple[str, list[str]]]:
        own = self.organisation_id
        return ledger.of(self.session).fact(("webhooks", own), lambda: webhooks.active(self.session, own))

    def count(self, *, files: int = 0, pins: int = 0, logical_bytes: int = 0) -> None:
        """Move the counters; an organisation that comes close to a quota is told."""
        totals = self.totals
        before = (totals.logical_bytes, totals.files, totals.pins)
        totals.files += files
        totals.pins += pins
        totals.logical_bytes += logical_bytes
        if self.quota.is_none:
            return
        after = (totals.logical_bytes, totals.files, totals.pins)
        limits = (self.quota.bytes, self.quota.files, self.quota.pins)
        for noun, used_before, used, limit in zip(("bytes", "files", "pins"), before, after, limits, strict=True):
            self._warn(noun, used_before, used, limit)

    def _warn(self, noun: str, before: int, used: int, limit: int | None) -> None:
        if not limit or used <= before:
            return
        for percent in WARN_AT:
            if before * 100 < limit * percent <= used * 100:
                self.tell("quota.warning", {"quota": noun, "percent": percent, "used": used, "limit": limit})
                return

    def reserve(self, *, files: int = 0, size_bytes: int = 0) -> None:
        """Move the counters of what is reserved."""
        self.totals.reserved_files += files
        self.totals.reserved_bytes += size_bytes

    def require_room(self, *, files: int = 0, pins: int = 0, logical_bytes: int = 0) -> None:
        """Make sure that so much more fits into the quota, what is reserved counted as used.  Raises: QuotaExceeded."""
        quota, totals = self.quota, self.totals
        for noun, limit, used, more in (
            ("bytes", quota.bytes, totals.logical_bytes + totals.reserved_bytes, logical_bytes),
            ("files", quota.files, totals.files + totals.reserved_files, files),
            ("pins", quota.pins, totals.pins, pins),
        ):
            if more > 0 and limit is not None and used + more > limit:
                raise QuotaExceeded(
                    f"{more:,} {noun} more do not fit into the quota: {used:,} of {limit:,} {noun} are used or reserved"
                )


def begin(session: Session, actor: Actor, now: datetime) -> Change:
    """A change of the organisation that the session is bound to.  Raises: RecordNotFound, where it is gone."""
    return begin_for(session, scope.bound_to(session), actor, now)


_OF_TOTALS: Final = cast(Table, TotalsRow.__table__)
_OF_ORGANISATIONS: Final = cast(Table, OrganisationRow.__table__)
_OF_PLANS: Final = cast(Table, PlanRow.__table__)
_QUOTAS: Final = tuple(
    func.coalesce(_OF_ORGANISATIONS.c[name], _OF_PLANS.c[name])
    for name in ("quota_bytes", "quota_files", "quota_pins", "quota_requests_per_day")
)
"""An organisation's own quotas where set, else its plan's."""


_WITH_PLAN: Final = _OF_ORGANISATIONS.join(_OF_PLANS, _OF_PLANS.c.name == _OF_ORGANISATIONS.c.plan)
_QUOTA: Final = select(*_QUOTAS).select_from(_WITH_PLAN).where(_OF_ORGANISATIONS.c.id == bindparam("organisation"))
_LOCK: Final = (
    select(*_OF_TOTALS.columns).where(_OF_TOTALS.c.organisation_id == bindparam("organisation")).with_for_update()
)


def begin_for(session: Session, organisation_id: str, actor: Actor, now: datetime) -> Change:
    """The same for any organisation, in a session for everybody; of several, take them in the order of their ids."""
    its = ledger.of(session)

    def lock() -> TotalsRow:
        found = session.connection().execute(_LOCK, {"organisation": organisation_id}).mappings().first()
        if found is None:
            raise RecordNotFound("this organisation is not there any more")
        return TotalsRow(**found)

    totals = its.totals(organisation_id, lock)
    quota = its.fact(("quota", organisation_id), lambda: quota_of(session, organisation_id))
    return Change(session, totals, quota, actor, now)


def quota_of(session: Session, organisation_id: str) -> Quota:
    """What an organisation may keep: its own quotas where set, else its plan's.  Raises: RecordNotFound."""
    found = session.connection().execute(_QUOTA, {"organisation": organisation_id}).first()
    if found is None:
        raise RecordNotFound("there is no such organisation")
    limits: Sequence[int | None] = found
    return Quota(*limits)


def audit_hash(row: AuditRow) -> bytes:
    """The hash that a row of the audit log must have: over all that it says and the hash of the row before."""
    return _hash_of(
        row.organisation_id,
        row.number,
        row.at,
        row.actor_kind,
        row.actor_id,
        row.actor_name,
        row.action,
        row.target,
        row.address,
        row.request_id,
        row.detail,
        row.previous_hash,
    )


def _hash_of(organisation_id: str, number: int, at: datetime, *said: Any) -> bytes:
    *words, previous_hash = said
    time = at.astimezone(UTC).isoformat(timespec="microseconds")
    told = json.dumps(
        [organisation_id, number, time, *words, previous_hash.hex()], ensure_ascii=False, separators=(",", ":")
    )
    return hashlib.sha256(told.encode()).digest()
