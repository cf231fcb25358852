"""Reads the audit log and proves it.

Each row has a number, one more than the row before, and the hash of all that it says together with the hash of the row
before; the organisation's totals have the number and the hash of the newest.  So a row that was changed, taken out,
put in or cut off at the end breaks the chain, and the first break is found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pinfold.db import Database, audit
from pinfold.db.audit import Filter
from pinfold.db.changes import audit_hash
from pinfold.db.models import AuditRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts.model import Caller, Scope
from pinfold.services.accounts.records import Listed

_AT_ONCE: Final = 1000  # rows: a long log is not held in memory
_START: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change."""

    number: int
    at: datetime
    actor_kind: str
    actor_id: str | None
    actor_name: str
    action: str
    target: str
    address: str
    request_id: str
    detail: dict[str, Any]
    hash: str
    previous_hash: str

    @classmethod
    def of(cls, row: AuditRow) -> AuditRecord:
        """The record of a row."""
        return cls(
            row.number,
            row.at,
            row.actor_kind,
            row.actor_id,
            row.actor_name,
            row.action,
            row.target,
            row.address,
            row.request_id,
            _detail(row.detail),
            row.hash.hex(),
            row.previous_hash.hex(),
        )


def _detail(text: str) -> dict[str, Any]:
    try:
        detail = json.loads(text)
    except ValueError:  # somebody has changed the row; that can be read as well
        detail = None
    return detail if isinstance(detail, dict) else {"unreadable": text}


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """What a look at the whole chain found."""

    rows: int
    """Rows that are as they were written, counted up to the first that is not."""
    broken_at: int | None
    """The number of the first row that is not; None where all is well."""
    reason: str
    """A sentence about it; empty where all is well."""


class AuditService:
    """The audit logs of organisations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, caller: Caller, wanted: Wanted, filtered: Filter) -> Listed[AuditRecord]:
        """Rows of the caller's organisation, newest first.  Raises: Forbidden."""
        caller.require(Scope.AUDIT_READ)
        found = await self._database.of(caller.organisation_id).read(audit.page, wanted, filtered)
        return Listed.of(found, AuditRecord.of)

    async def verify(self, organisation_id: str) -> AuditFinding:
        """Whether every row is as it was written, and none is missing; rows written meanwhile are not waited for."""
        bound = self._database.everybody
        head = await bound.read(audit.head, organisation_id)
        last, last_hash = head or (0, _START)
        number, previous = 0, _START
        while number < last:
            rows = await bound.read(audit.after, organisation_id, number, min(_AT_ONCE, last - number))
            found = _check(rows, number, previous)
            if found is not None:
                return found
            if not rows:
                return _broken(number + 1, f"the log ends at row {number:,}, and {last:,} rows were written")
            number, previous = rows[-1].number, rows[-1].hash
        if number == last and previous != last_hash:
            return _broken(last, f"row {last:,} is not the one that was written last")
        return await self._check_behind(organisation_id, last)

    async def _check_behind(self, organisation_id: str, last: int) -> AuditFinding:
        """Rows behind the head: written meanwhile, or put there by somebody."""
        behind, head = await self._database.everybody.read(_behind, organisation_id, last)
        if behind and (head is None or head[0] < behind[-1].number):
            first = next(row.number for row in behind if head is None or row.number > head[0])
            return _broken(first, f"row {first:,} stands behind the end of the log")
        return AuditFinding(last, None, "")


def _behind(session: Any, organisation_id: str, last: int) -> tuple[Sequence[AuditRow], tuple[int, bytes] | None]:
    # The rows first: a row that is written between the two reads is then behind neither.
    rows = audit.after(session, organisation_id, last, _AT_ONCE)
    return rows, audit.head(session, organisation_id)


def _check(rows: Sequence[AuditRow], number: int, previous: bytes) -> AuditFinding | None:
    for row in rows:
        if row.number != number + 1:
            return _broken(number + 1, f"row {number + 1:,} is missing")
        if row.previous_hash != previous:
            return _broken(row.number, f"row {row.number:,} does not follow from the row before it")
        if audit_hash(row) != row.hash:
            return _broken(row.number, f"row {row.number:,} says something else than when it was written")
        number, previous = row.number, row.hash
    return None


def _broken(number: int, reason: str) -> AuditFinding:
    return AuditFinding(number - 1, number, reason)
