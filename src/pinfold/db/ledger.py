"""What the changes of one transaction share: totals that are locked and read once, and audit rows written together.

Many changes of one organisation are carried out in one transaction (``grouping``).  Each needs the organisation's
totals, moves them and adds to its audit chain; asked of the database every time, that would be most of a change's
work.  So the first change reads and locks, all of them work on that one row in memory, and it is written once, with
all their audit rows.  A query that names those tables itself finds them up to date (``scope`` sees to that).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.orm import Session

from pinfold.db.models import AuditRow, OrganisationRow, PlanRow, TotalsRow, WebhookRow

T = TypeVar("T")
Values = dict[str, Any]

KEPT_HERE: Final = (TotalsRow, AuditRow)
"""What a ledger holds back until it is written out."""
ASKED_ONCE: Final = (OrganisationRow, PlanRow, WebhookRow)
"""What facts come from: with a change of these, facts have to be asked for again."""

_INFO: Final = "ledger"
_KEY: Final = "organisation_id"
_TOTALS: Final = cast(Table, TotalsRow.__table__)
_MOVING: Final = tuple(column.name for column in _TOTALS.columns if column.name != _KEY)
_UPDATE: Final = (
    update(_TOTALS)
    .where(_TOTALS.c.organisation_id == bindparam("its_id"))
    .values({name: bindparam(name) for name in _MOVING})
)
_INSERT: Final = insert(cast(Table, AuditRow.__table__))


class Ledger:
    """One transaction's.  What one write of it did can be taken back, with the database's savepoint."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._totals: dict[str, TotalsRow] = {}
        self._written: dict[str, Values] = {}
        """Per organisation what the database has."""
        self._audit: list[Values] = []
        self._facts: dict[Any, Any] = {}
        self._undo: dict[str, tuple[Values, Values] | None] = {}
        """Per organisation that this write touched: its totals before and what the database had; None: not locked."""
        self._audit_before: list[Values] | int = 0
        """The audit rows that earlier writes left here, or how many of the first they are."""

    def begin_write(self) -> None:
        """From here on ``undo_write`` takes back."""
        self._undo.clear()
        self._audit_before = len(self._audit)

    def undo_write(self) -> None:
        """As if this write had not been; the database has been brought back as well."""
        self._facts.clear()
        before = self._audit_before
        self._audit = self._audit[:before] if isinstance(before, int) else before
        for key, known in self._undo.items():
            if known is None:  # its lock went with the savepoint
                self._totals.pop(key, None)
                self._written.pop(key, None)
            else:
                row = self._totals.setdefault(key, TotalsRow(organisation_id=key))
                for name, value in known[0].items():
                    setattr(row, name, value)
                self._written[key] = known[1]

    def totals(self, organisation_id: str, read: Callable[[], TotalsRow]) -> TotalsRow:
        """The organisation's totals, locked: as changes before left them, or from ``read``, which locks them."""
        row = self._totals.get(organisation_id)
        if row is None:
            row = read()
            self._undo.setdefault(organisation_id, None)
            self._totals[organisation_id] = row
            self._written[organisation_id] = _values(row)
        else:
            self._touch(organisation_id, row)
        return row

    def fact(self, key: Any, ask: Callable[[], T]) -> T:
        """What ``ask`` said the first time."""
        if key not in self._facts:
            self._facts[key] = ask()
        known: T = self._facts[key]
        return known

    def forget_facts(self) -> None:
        """Have everything asked for anew."""
        self._facts.clear()

    def add_audit(self, row: Values) -> None:
        """Write a row of the audit log at the end."""
        self._audit.append(row)

    def write_out(self) -> None:
        """Write what has been held back."""
        moved = []
        for key, row in self._totals.items():
            values = _values(row)
            if values != self._written[key]:
                self._touch(key, row)
                moved.append({"its_id": key, **values})
                self._written[key] = values
        if moved:
            self._connection.execute(_UPDATE, moved)
        if self._audit:
            rows = self._audit
            if isinstance(self._audit_before, int):
                self._audit_before = rows[: self._audit_before]
            self._audit = []
            self._connection.execute(_INSERT, rows)

    def forget_totals(self) -> None:
        """Have totals read anew: a query of this transaction changes them itself."""
        for key, row in self._totals.items():
            self._touch(key, row)
        self._totals.clear()
        self._written.clear()

    def _touch(self, key: str, row: TotalsRow) -> None:
        if key not in self._undo:
            self._undo[key] = (_values(row), self._written[key])


def _values(row: TotalsRow) -> Values:
    state = row.__dict__
    return {name: state[name] for name in _MOVING}


def give(session: Session, ledger: Ledger) -> None:
    """Let the changes of ``session`` use ``ledger``."""
    session.info[_INFO] = ledger


def of(session: Session) -> Ledger:
    """The ledger of the session's transaction.  Raises: RuntimeError in a session that only reads."""
    found: Ledger | None = session.info.get(_INFO)
    if found is None:
        raise RuntimeError("a change needs a session that writes")
    return found


def of_writer(session: Session) -> Ledger | None:
    """The ledger, where the session has one."""
    found: Ledger | None = session.info.get(_INFO)
    return found
