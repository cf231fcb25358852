from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from pinfold.db.newest_pins import in_order, merged

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def page(status: str, *seconds: int) -> list[tuple[datetime, str]]:
    return [(BEGAN + timedelta(seconds=second), status) for second in seconds]


def test_statuses_are_asked_for_as_requests_go_through_them() -> None:
    for some in itertools.permutations(("failed", "pinned", "pinning", "queued")):
        assert in_order(some) == ["queued", "pinning", "pinned", "failed"]


def test_a_request_that_went_on_between_two_statements_is_listed_once_and_as_it_is_now() -> None:
    pages = [page("queued", 9, 5, 1), page("pinned", 8, 5, 2)]
    found = merged(pages, lambda row: row[0], 0, 10)
    assert found == [*page("queued", 9), *page("pinned", 8, 5, 2), *page("queued", 1)]
    assert merged(pages, lambda row: row[0], 1, 3) == page("pinned", 8, 5)
