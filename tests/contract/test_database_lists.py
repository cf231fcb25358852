"""Lists say the same on both databases, however they are read: rare names and common ones, any page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from pinfold.db import Database, file_filters, file_lists, pin_lists, search
from pinfold.db.file_filters import FileFilter, Sort
from pinfold.db.models import FileRow, FileTagRow, PinRow
from pinfold.db.pin_lists import Match, PinFilter

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 60
STATUSES = ("pinned", "pinned", "pinned", "failed", "queued")
KINDS = ("image/png", "image/jpeg", "text/plain")


def name_of(number: int) -> str:
    return f"{('Alpha', 'beta', 'ALPHA beta')[number % 3]}-{number * 37 % 100:03d}"


def fill(session: Session) -> None:
    """Rows of which every second is a file; numbers and times grow together."""
    for number in range(ROWS):
        at = BEGAN + timedelta(seconds=number)
        of_file, name, status = number % 2 == 0, name_of(number), STATUSES[number % len(STATUSES)]
        pin = PinRow(cid="bafy", root="bafy", name=name, status=status, of_file=of_file, created_at=at, updated_at=at)
        session.add(pin)
        session.flush()
        if of_file:
            tags = [*(["even"] if number % 4 == 0 else []), *(["eighth"] if number % 8 == 0 else [])]
            kept = {"cid": "bafy", "root": "bafy", "profile": "p", "created_at": at, "updated_at": at}
            size, kind = number * 31 % 17, KINDS[number % len(KINDS)]
            file = FileRow(pin_id=pin.id, name=name, size_bytes=size, content_type=kind, tags=tags, **kept)
            session.add(file)
            session.flush()
            session.add_all(FileTagRow(tag=tag, file_number=file.number) for tag in tags)


@pytest.fixture(params=[3, 10_000], ids=["common", "rare"])
def most(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many finds make a name common, and are counted."""
    most: int = request.param
    monkeypatch.setattr(search, "MOST", most)
    monkeypatch.setattr(file_lists, "MOST_COUNTED", most)
    monkeypatch.setattr(pin_lists, "COUNTED", most)
    return most


FILTERS = [
    FileFilter(search="alpha"),
    FileFilter(search="ETA-0"),
    FileFilter(search="al"),
    FileFilter(search="no such"),
    FileFilter(search="alpha", content_type="image/*"),
    FileFilter(search="alpha", tags=("even",)),
    FileFilter(search="alpha", status=("failed", "queued")),
    FileFilter(status=("pinned",)),
    FileFilter(status=("failed", "queued")),
    FileFilter(tags=("even",), content_type="text/plain"),
    FileFilter(content_type="image/*"),
    FileFilter(content_type="image/*", search="al"),
    FileFilter(tags=("even",)),
    FileFilter(tags=("even", "eighth")),
]


def fits(wanted: FileFilter) -> Callable[[FileRow, PinRow], bool]:
    family = wanted.content_type.removesuffix("*")
    return lambda file, pin: (
        wanted.search.lower() in file.name.lower()
        and (not wanted.status or pin.status in wanted.status)
        and file.content_type.startswith(family)
        and set(wanted.tags) <= set(file.tags)
    )


@pytest.mark.parametrize("most_types", [1, 50])
@pytest.mark.parametrize("wanted", [one for one in FILTERS if one.is_family], ids=str)
def test_families_of_few_types_and_of_many_are_listed_alike(
    wanted: FileFilter, most_types: int, monkeypatch: pytest.MonkeyPatch, database: Database, ours: str
) -> None:
    monkeypatch.setattr(file_filters, "MOST_TYPES", most_types)
    monkeypatch.setattr(file_lists, "MOST_TYPES", most_types)
    database.of(ours).write_now(fill)

    def check(session: Session) -> None:
        everything = file_lists.page(session, FileFilter(), Sort.CREATED_AT, 1000).rows
        expected = [file.number for file, pin in everything if fits(wanted)(file, pin)]
        for offset in (0, 3, 100):
            page = file_lists.page(session, wanted, Sort.CREATED_AT, 4, offset=offset)
            assert [file.number for file, _ in page.rows] == expected[offset : offset + 4]
            assert page.has_more is (offset + 4 < len(expected))

    database.of(ours).read_now(check)


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_files_are_listed_in_order_by_page_and_by_cursor(
    wanted: FileFilter, most: int, database: Database, ours: str, theirs: str
) -> None:
    for owner in (theirs, ours, theirs):
        database.of(owner).write_now(fill)
    keys: dict[Sort, Callable[[FileRow], tuple[object, ...]]] = {
        Sort.CREATED_AT: lambda file: (file.number,),
        Sort.NAME: lambda file: (file.name.encode(), file.number),
        Sort.SIZE: lambda file: (file.size_bytes, file.number),
    }

    def check(session: Session) -> None:
        everything = file_lists.page(session, FileFilter(), Sort.CREATED_AT, 1000).rows
        assert len(everything) == ROWS // 2
        expected = [file for file, pin in everything if fits(wanted)(file, pin)]
        counted = min(len(expected), most), len(expected) <= most
        for sort, key in keys.items():
            for descending in (True, False):
                if sort is not Sort.NAME:  # of letters each database has an order of its own
                    expected.sort(key=key, reverse=descending)
                pages: list[FileRow] = []
                after = None
                while True:
                    page = file_lists.page(session, wanted, sort, 4, descending=descending, after=after)
                    by_number = file_lists.page(session, wanted, sort, 4, descending=descending, offset=len(pages))
                    assert [row[0].number for row in page.rows] == [row[0].number for row in by_number.rows]
                    assert (page.total, page.is_exact) == (by_number.total, by_number.is_exact) == counted
                    pages += [file for file, _ in page.rows]
                    if (after := page.next_after(sort)) is None:
                        break
                if sort is Sort.NAME:
                    assert {file.number for file in pages} == {file.number for file in expected}
                    assert len(pages) == len(expected)
                else:
                    assert [file.number for file in pages] == [file.number for file in expected]

    database.of(ours).read_now(check)


def test_short_terms_are_counted_among_the_newest_and_found_among_all(
    monkeypatch: pytest.MonkeyPatch, database: Database, ours: str
) -> None:
    monkeypatch.setattr(search, "NEAR", 12)
    database.of(ours).write_now(fill)

    def check(session: Session) -> None:
        files = file_lists.page(session, FileFilter(search="et"), Sort.CREATED_AT, 100)
        names = [file.name for file, _ in file_lists.page(session, FileFilter(), Sort.CREATED_AT, 100).rows]
        assert (len(files.rows), files.total, files.is_exact) == (
            sum("et" in name for name in names),
            sum("et" in name for name in names[:13]),
            False,
        )
        pins = pin_lists.page(session, PinFilter(name="et", match=Match.IPARTIAL), 100)
        names = [row.name for row in pin_lists.page(session, PinFilter(), 100).rows]
        assert (len(pins.rows), pins.total, pins.is_exact) == (
            sum("et" in name for name in names),
            sum("et" in name for name in names[:13]),
            False,
        )

    database.of(ours).read_now(check)


def test_page_behind_the_last_one_still_tells_how_many_there_are(database: Database, ours: str) -> None:
    database.of(ours).write_now(fill)

    def check(session: Session) -> None:
        for wanted in (FileFilter(search="al"), FileFilter(search="alpha"), FileFilter(search="beta", tags=("even",))):
            first = file_lists.page(session, wanted, Sort.CREATED_AT, 100)
            beyond = file_lists.page(session, wanted, Sort.CREATED_AT, 100, offset=1000)
            assert beyond.rows == []
            assert (beyond.has_more, beyond.total, beyond.is_exact) == (False, first.total, True)
            assert first.total == len(first.rows)

    database.of(ours).read_now(check)


@pytest.mark.parametrize("with_files", [False, True])
@pytest.mark.parametrize("statuses", [frozenset[str](), frozenset({"pinned"}), frozenset({"failed", "queued"})])
@pytest.mark.parametrize(
    ("term", "match"), [("alpha", Match.IPARTIAL), ("ALPHA", Match.PARTIAL), ("al", Match.IPARTIAL)]
)
def test_pins_are_found_by_a_part_of_their_name(
    term: str,
    match: Match,
    statuses: frozenset[str],
    with_files: bool,
    most: int,
    database: Database,
    ours: str,
    theirs: str,
) -> None:
    for owner in (theirs, ours):
        database.of(owner).write_now(fill)

    def check(session: Session) -> None:
        everything = pin_lists.page(session, PinFilter(with_files=True), 1000).rows
        assert len(everything) == ROWS
        expected = [
            row.id
            for row in everything
            if (term in row.name if match is Match.PARTIAL else term in row.name.lower())
            and (with_files or not row.of_file)
            and (not statuses or row.status in statuses)
        ]
        wanted = PinFilter(name=term, match=match, statuses=statuses, with_files=with_files)
        found, cursor, offset = [], None, 0
        while True:
            page = pin_lists.page(session, wanted, 4, cursor=cursor)
            assert (page.total, page.is_exact) == (min(len(expected), most), len(expected) <= most)
            by_number = pin_lists.page(session, wanted, 4, offset=offset)
            assert [row.id for row in by_number.rows] == [row.id for row in page.rows]
            found += [row.id for row in page.rows]
            if not page.has_more:
                break
            cursor, offset = page.rows[-1].created_at, len(found)
        assert found == expected

    database.of(ours).read_now(check)
