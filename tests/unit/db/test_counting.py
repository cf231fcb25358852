from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db import Database, webhooks
from pinfold.db.counting import count_up_to
from pinfold.db.models import WebhookDeliveryRow, WebhookEventRow
from tests.support.tenants import make_organisation

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    database = Database(database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    yield database
    database.close()


@pytest.fixture
def tenants(database: Database) -> tuple[str, str]:
    """One with five events, and one with none."""
    first, second = (database.everybody.write_now(make_organisation, slug) for slug in ("one", "two"))

    def make(session: Session) -> None:
        for number in range(5):
            webhooks.put(session, first, "file.created" if number < 2 else "pin.failed", {}, [], NOW)

    database.everybody.write_now(make)
    return first, second


def test_rows_are_counted_up_to_a_number(database: Database, tenants: tuple[str, str]) -> None:
    one = database.of(tenants[0])
    assert one.read_now(count_up_to, select(WebhookEventRow)) == (5, True)
    assert one.read_now(count_up_to, select(WebhookEventRow).where(WebhookEventRow.kind == "file.created")) == (2, True)
    assert one.read_now(count_up_to, select(WebhookEventRow), 5) == (5, True)
    assert one.read_now(count_up_to, select(WebhookEventRow), 4) == (4, False)


def test_an_order_and_a_join_change_nothing(database: Database, tenants: tuple[str, str]) -> None:
    joined = (
        select(WebhookEventRow, WebhookDeliveryRow)
        .outerjoin(WebhookDeliveryRow, WebhookDeliveryRow.event_id == WebhookEventRow.id)
        .order_by(WebhookEventRow.number.desc())
    )
    assert database.of(tenants[0]).read_now(count_up_to, joined) == (5, True)


def test_rows_of_another_tenant_are_not_counted(database: Database, tenants: tuple[str, str]) -> None:
    assert database.of(tenants[1]).read_now(count_up_to, select(WebhookEventRow)) == (0, True)
    assert database.everybody.read_now(count_up_to, select(WebhookEventRow)) == (5, True)
