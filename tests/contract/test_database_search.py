"""Looking for a part of a name finds the same names on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pinfold.db import Database
from pinfold.db.models import PinRow
from pinfold.db.search import NameSearch
from tests.support.rows import add_pin

NAMES = [
    "Holiday photos 2025.tar",
    'he said "hello"',
    "it's 100% done",
    "under_score",
    "underXscore",
    "back\\slash",
    "Grüße aus Köln",
    "日本語のファイル",
    "a",
    "AB",
    "emoji 🎉 party",
    "NOT this OR that*",
    "",
]


@pytest.fixture(autouse=True)
def named(database: Database, ours: str, theirs: str) -> None:
    for name in NAMES:
        database.of(ours).write_now(add_pin, name)
    database.of(theirs).write_now(add_pin, "Holiday photos of others")


def found(session: Session, term: str) -> set[str]:
    return set(session.scalars(select(PinRow.name).where(NameSearch(session, PinRow, term).condition())))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("photos", {"Holiday photos 2025.tar"}),
        ("HOLIDAY", {"Holiday photos 2025.tar"}),
        ("s 20", {"Holiday photos 2025.tar"}),
        ('"hello"', {'he said "hello"'}),
        ('"', {'he said "hello"'}),
        ("it's", {"it's 100% done"}),
        ("'", {"it's 100% done"}),
        ("100%", {"it's 100% done"}),
        ("%", {"it's 100% done"}),
        ("r_s", {"under_score"}),
        ("_", {"under_score"}),
        ("k\\s", {"back\\slash"}),
        ("\\", {"back\\slash"}),
        ("grüße", {"Grüße aus Köln"}),
        ("öl", {"Grüße aus Köln"}),
        ("日本語", {"日本語のファイル"}),
        ("本", {"日本語のファイル"}),
        ("🎉 p", {"emoji 🎉 party"}),
        ("🎉", {"emoji 🎉 party"}),
        ("ab", {"AB"}),
        ("OR that*", {"NOT this OR that*"}),
        ("NOT this", {"NOT this OR that*"}),
        ("no such name", set()),
        ("x" * 300, set()),
    ],
)
def test_a_part_of_a_name_finds(term: str, expected: set[str], database: Database, ours: str) -> None:
    assert database.of(ours).read_now(found, term) == expected


def test_what_is_renamed_or_removed_is_found_no_more(database: Database, ours: str) -> None:
    def change(session: Session) -> None:
        session.execute(update(PinRow).where(PinRow.name == "under_score").values(name="renamed"))
        session.execute(delete(PinRow).where(PinRow.name == "underXscore"))

    database.of(ours).write_now(change)
    assert database.of(ours).read_now(found, "score") == set()
    assert database.of(ours).read_now(found, "renamed") == {"renamed"}
