"""A session that is bound to an organisation reaches that one's rows, whatever the query says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, true, update
from sqlalchemy.orm import Session, aliased

from pinfold.db import Database
from pinfold.db.models import PinRow, PlanRow
from pinfold.db.scope import OutOfScope
from tests.support.rows import NOW, add_pin, names, pin_row


@pytest.fixture(autouse=True)
def both_have_a_pin(database: Database, ours: str, theirs: str) -> None:
    database.of(ours).write_now(add_pin, "ours")
    database.of(theirs).write_now(add_pin, "theirs")


def _aliased_names(session: Session) -> list[str]:
    pins = aliased(PinRow)
    return list(session.scalars(select(pins.name)))


def _names_by_subquery(session: Session) -> list[str]:
    inner = select(PinRow.name.label("name")).subquery()
    return list(session.scalars(select(inner.c.name)))


READS: dict[str, Callable[[Session], Any]] = {
    "entities": lambda session: [row.name for row in session.scalars(select(PinRow))],
    "columns": names,
    "aliases": _aliased_names,
    "subqueries": _names_by_subquery,
    "a condition that says everybody": lambda session: list(session.scalars(select(PinRow.name).where(true()))),
    "counts": lambda session: ["ours"] * (session.scalar(select(func.count()).select_from(PinRow)) or 0),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_another_tenant_s_rows_are_not_seen_by(read: Callable[[Session], Any], database: Database, ours: str) -> None:
    assert database.of(ours).read_now(read) == ["ours"]


def test_a_row_of_another_tenant_is_not_there_by_its_key(database: Database, ours: str, theirs: str) -> None:
    number = database.of(theirs).read_now(lambda session: session.scalar(select(PinRow.number)))
    assert database.of(ours).read_now(lambda session: session.get(PinRow, number)) is None


def test_bulk_updates_and_deletes_touch_the_tenant_s_rows_only(database: Database, ours: str, theirs: str) -> None:
    def rename(session: Session) -> None:
        session.execute(update(PinRow).values(name="mine"))

    def remove(session: Session) -> None:
        session.execute(delete(PinRow))

    database.of(ours).write_now(rename)
    assert database.everybody.read_now(names) == ["mine", "theirs"] or database.everybody.read_now(names) == [
        "theirs",
        "mine",
    ]
    database.of(ours).write_now(remove)
    assert database.everybody.read_now(names) == ["theirs"]


def test_a_new_row_is_the_tenant_s_without_saying_so(database: Database, ours: str) -> None:
    def add(session: Session) -> str:
        row = pin_row("new")
        session.add(row)
        session.flush()
        return row.organisation_id

    assert database.of(ours).write_now(add) == ours


def test_rows_cannot_be_written_for_another_tenant(database: Database, ours: str, theirs: str) -> None:
    common = {"organisation_id": theirs, "cid": "b", "root": "b", "name": "x", "status": "queued"}
    values = {**common, "created_at": NOW, "updated_at": NOW}

    def by_object(session: Session) -> None:
        session.add(PinRow(**values))

    def in_bulk(session: Session) -> None:
        session.execute(insert(PinRow), [values])

    def by_table(session: Session) -> None:
        session.execute(insert(PinRow.__table__), [values])  # type: ignore[arg-type]

    def by_theft(session: Session) -> None:
        row = session.scalars(select(PinRow)).one()
        row.organisation_id = theirs

    for write in (by_object, in_bulk, by_table, by_theft):
        with pytest.raises(OutOfScope):
            database.of(ours).write_now(write)
    assert len(database.of(theirs).read_now(names)) == 1


def test_a_row_of_another_tenant_cannot_be_deleted_although_somebody_hands_it_over(
    database: Database, ours: str, theirs: str
) -> None:
    row = database.of(theirs).read_now(lambda session: session.scalars(select(PinRow)).one())

    def remove(session: Session) -> None:
        session.delete(session.merge(row, load=False))

    with pytest.raises(OutOfScope):
        database.of(ours).write_now(remove)


def test_what_names_bare_tables_or_plain_text_is_refused(database: Database, ours: str) -> None:
    table = PinRow.__table__
    for statement in (
        select(table.c.name),
        update(table).values(name="x"),  # type: ignore[arg-type]
        delete(table),  # type: ignore[arg-type]
        text("SELECT name FROM pins"),
    ):
        with pytest.raises(OutOfScope):
            database.of(ours).write_now(lambda session, it: session.execute(it), statement)


def test_a_session_bound_to_nobody_reaches_no_tenant_s_rows(database: Database) -> None:
    for query in (names, lambda session: session.add(pin_row("x")), lambda session: session.execute(delete(PinRow))):
        with pytest.raises(OutOfScope):
            database.of("").write_now(query)
    assert database.of("").read_now(lambda session: session.scalar(select(PlanRow.name).limit(1)))


def test_everybody_s_session_sees_all(database: Database) -> None:
    assert sorted(database.everybody.read_now(names)) == ["ours", "theirs"]


def test_what_only_reads_cannot_write(database: Database, ours: str) -> None:
    def write(session: Session) -> None:
        session.execute(update(PinRow).values(name="x"))

    with pytest.raises(Exception, match=r"read-?only"):
        database.of(ours).read_now(write)
    assert database.of(ours).read_now(names) == ["ours"]
