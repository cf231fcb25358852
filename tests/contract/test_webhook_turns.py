"""Organisations get as many deliveries as each other, on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from pinfold.db import Database, webhooks
from pinfold.db.models import WebhookRow
from pinfold.db.webhooks import Leased, Passed, Shares

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def webhook(database: Database, organisation_id: str, due: int) -> str:
    """The id of a webhook with so many deliveries that are due."""

    def query(session: Session) -> str:
        row = WebhookRow(url="https://receiver.example/", secret=b"x" * 32, events=[], created_at=NOW, updated_at=NOW)
        session.add(row)
        session.flush()
        webhooks.put_all(session, organisation_id, "pin.failed", [{}] * due, [row.id], NOW)
        return row.id

    return database.of(organisation_id).write_now(query)


def lease(
    database: Database, limit: int, shares: Shares = webhooks.UNSHARED, passed: Passed = webhooks.NOBODY
) -> list[Leased]:
    """What a worker gets."""
    now = NOW + timedelta(minutes=1)
    until = now + timedelta(minutes=1)
    return list(database.everybody.write_now(webhooks.lease, "w", limit, now, until, passed, shares))


def of_each(leased: list[Leased]) -> Counter[str]:
    return Counter(one[1].organisation_id for one in leased)


def test_the_one_delivery_of_an_organisation_is_among_the_next_beside_hundreds_of_another_s(
    database: Database, ours: str, theirs: str
) -> None:
    for _ in range(3):
        webhook(database, ours, 100)
    mine = webhook(database, theirs, 1)
    assert mine in [one[1].id for one in lease(database, 2)]
    assert of_each(lease(database, 10)) == {ours: 10}


def test_an_organisation_and_a_webhook_have_their_share_and_no_more(database: Database, ours: str, theirs: str) -> None:
    first, second = (webhook(database, ours, 20) for _ in range(2))
    webhook(database, theirs, 3)
    shares = Shares(of_organisation=6, of_webhook=4, held={ours: 1}, held_by_webhook={first: 1})
    leased = lease(database, 100, shares)
    assert of_each(leased) == {ours: 5, theirs: 3}
    assert Counter(one[1].id for one in leased if one[1].organisation_id == ours)[first] <= 3
    resting = lease(database, 100, Shares(of_webhook=4), Passed(but_by_hand=frozenset({first})))
    assert {one[1].id for one in resting} == {second}


def test_who_has_fewest_under_way_is_served_first_and_webhooks_of_one_take_turns(
    database: Database, ours: str, theirs: str
) -> None:
    both = [webhook(database, ours, 20) for _ in range(2)]
    webhook(database, theirs, 20)
    leased = lease(database, 6, Shares(held={theirs: 4}))
    assert of_each(leased) == {ours: 5, theirs: 1}
    assert sorted(Counter(one[1].id for one in leased if one[1].id in both).values()) == [2, 3]


def test_slow_organisations_share_their_part_and_leave_the_rest(database: Database, ours: str, theirs: str) -> None:
    webhook(database, ours, 20)
    webhook(database, theirs, 20)
    slow = Shares(of_all_slow=4, slow=frozenset({ours, theirs}), held={ours: 2})
    assert of_each(lease(database, 50, slow)) == {theirs: 2}
    one_slow = Shares(of_all_slow=4, slow=frozenset({ours}), held={ours: 4})
    assert of_each(lease(database, 5, one_slow)) == {theirs: 5}


def test_webhooks_beyond_those_that_are_looked_at_get_their_turn(
    database: Database, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.db.webhook_turns._MOST_SEEN", 2)
    monkeypatch.setattr("pinfold.db.webhook_turns._steps", webhook_turns_steps())
    all_of_them = {webhook(database, ours, 5) for _ in range(5)}
    served: set[str] = set()
    after = ""
    for _ in range(5):
        leased = lease(database, 2, Shares(of_webhook=1, after=after))
        served |= {one[1].id for one in leased}
        after = leased[-1][1].id
    assert served == all_of_them


def webhook_turns_steps() -> object:
    """The statement made anew for another number."""
    from pinfold.db.webhook_turns import _steps

    return _steps.__wrapped__
