"""Looking for a part of a name: all that differs between SQLite's trigram index and PostgreSQL's.

On SQLite the index of each table is ordered by a position: the organisation's number, whether it is a pin that a file
made, and the row's number.  So the names of one organisation are a range of it, which can be read newest first and no
further than is asked for, without a look at the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Select, case, func, literal, select, text
from sqlalchemy.orm import Session

from pinfold.db import dialect, scope
from pinfold.db.counting import MOST
from pinfold.db.models import FileRow, PinRow

SHORTEST: Final = 3
"""Characters of the shortest term that an index knows: those of a trigram."""
NEAR: Final = 10_000
"""Rows among which names are counted that no index finds, or finds too often."""
_NUMBER_BITS: Final = 40  # as in the triggers that the migration makes
_KINDS: Final = (False,)


class NameSearch:
    """Rows of the session's organisation that have ``term`` in their name, letters' case aside.

    ``kinds`` says of pins whether those that files made are meant, those that none made, or both.
    """

    def __init__(
        self, session: Session, row: type[FileRow] | type[PinRow], term: str, kinds: Collection[bool] = _KINDS
    ) -> None:
        """Look for the newest ``MOST`` and one more, where that is quick."""
        self._session = session
        self._row = row
        self._term = term
        self._kinds = sorted(kinds, reverse=True)
        self.is_known = len(term) >= SHORTEST
        """Whether an index was asked; of shorter terms nothing is known."""
        self.is_ordered = self.is_known and dialect.is_sqlite(session)
        """Whether ``newest`` can be asked."""
        self._first: Sequence[int] = []
        if self.is_known:
            self._first = self.newest(MOST + 1) if self.is_ordered else self._some()

    @property
    def is_common(self) -> bool:
        """Whether more than ``MOST`` rows are known to have it: so many that one of them is soon met by reading on."""
        return len(self._first) > MOST

    @property
    def is_complete(self) -> bool:
        """Whether all rows that have it are known: then ``condition`` lists them, and they are few."""
        return self.is_known and not self.is_common

    @property
    def found(self) -> int:
        """How many rows are known to have it, of ``MOST`` and one more."""
        return len(self._first)

    def _some(self) -> Sequence[int]:
        # Without an order, so that PostgreSQL reads the trigrams' index for what is rare, and any rows for the rest.
        found = select(self._row.number).where(contains(self._row.name, self._term))
        # Pins of each kind have an index of their own.
        parts = [found.where(PinRow.of_file.is_(kind)) for kind in self._kinds] if self._row is PinRow else [found]
        numbers: list[int] = []
        for part in parts:
            numbers += self._session.scalars(part.limit(MOST + 1 - len(numbers)))
        return numbers

    def newest(self, limit: int, *, before: int | None = None, offset: int = 0) -> list[int]:
        """Numbers of up to ``limit`` rows with the name, newest first of each kind, ``before`` a row's number."""
        table = f"{self._row.__tablename__}_search"
        connection = self._session.connection()
        organisation_id = scope.bound_to(self._session)
        owner = connection.execute(
            text("SELECT number FROM organisations_search WHERE organisation_id = :id"), {"id": organisation_id}
        ).scalar()
        found: list[int] = []
        for kind in self._kinds:
            low = (int(owner or 0) * 2 + kind) << _NUMBER_BITS
            high = low + ((1 << _NUMBER_BITS) if before is None else before)
            rows = connection.execute(
                text(
                    f"SELECT rowid - :low FROM {table} WHERE {table} MATCH :phrase"
                    " AND rowid > :low AND rowid < :high ORDER BY rowid DESC LIMIT :limit OFFSET :offset"
                ),
                {
                    "phrase": '"' + self._term.replace('"', '""') + '"',
                    **{"low": low, "high": high, "limit": limit - len(found), "offset": offset},
                },
            )
            found += rows.scalars()
        return found

    def condition(self) -> ColumnElement[bool]:
        """Whether a row's name has it."""
        if self.is_complete and not self.is_ordered:
            given = func.unnest(literal(list(self._first), ARRAY(BigInteger))).column_valued("given")
            return self._row.number.in_(select(given))
        if self.is_complete or (self.is_ordered and not self._term.isascii()):
            # Only ASCII's letters have a case for SQLite's LIKE, so other common terms are listed whole.
            numbers = self._first if self.is_complete else self.newest(-1)
            listed = func.json_each(orjson.dumps(list(numbers)).decode()).table_valued("value")
            among: ColumnElement[bool] = self._row.number.in_(select(listed.c.value))
            return among
        return contains(self._row.name, self._term)


def count_near(session: Session, rows: Select[Any], fits: ColumnElement[bool]) -> tuple[int, bool]:
    """How many of the first ``NEAR`` rows have a term in their names, and whether there are no more rows.

    It is one that no index knows, or that most have: to count on would be to read every name.
    """
    near = rows.with_only_columns(case((fits, 1), else_=0).label("fits")).limit(NEAR + 1).subquery()
    found = func.coalesce(func.sum(near.c.fits), 0)
    counted, read = session.execute(select(found, func.count()).select_from(near)).one()
    return int(counted), read <= NEAR


def contains(column: Any, term: str) -> ColumnElement[bool]:
    """Whether a column has ``term`` in it, letters' case aside; by PostgreSQL's index from three characters on."""
    pattern = "%" + term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    alike: ColumnElement[bool] = column.ilike(pattern, escape="\\")
    return alike
