from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import FileRecordNotFound, InvalidInput, PinNotFound, Stopped
from pinfold.core.pin import PLATFORM_PIN_NAME
from pinfold.db import Database, usage
from pinfold.db.models import FileRow, OrganisationRow, PinRow, TotalsRow
from pinfold.node import Node
from pinfold.services.accounts import Caller
from pinfold.services.threads import Threads
from pinfold.services.usage import Measurer, UsageService
from tests.support.tenants import make_organisation

T = TypeVar("T")

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = NOON.date()
KIB = 1024


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


class House:
    """Tenants that keep content of a real node."""

    def __init__(self, database: Database, node: Node) -> None:
        self.database = database
        self.node = node
        self.now = NOON
        self.threads = Threads()
        self.measurer = Measurer(database, node, self.threads, self.clock)
        self.service = UsageService(
            database, node, self.threads, self.measurer, pin_name=PLATFORM_PIN_NAME, clock=self.clock
        )
        self._numbers = iter(range(1_000_000))

    def clock(self) -> datetime:
        return self.now

    def caller(self, slug: str) -> Caller:
        return Caller("t", "tests", self.database.everybody.write_now(make_organisation, slug), frozenset())

    def content(self, *parts: bytes, name: str = PLATFORM_PIN_NAME) -> CID:
        """A DAG over blocks of these bytes, pinned in the node."""
        leaves = [self.node.block_put(part) for part in parts]
        root = self.node.dag_put(list(leaves), pin=False) if len(leaves) > 1 else leaves[0]
        self.node.pin_add(root, name=name)
        return root

    def keep(self, caller: Caller, root: CID, *, as_file: bool = False, status: str = "pinned", size: int = 0) -> str:
        """The id of a new pin request, or of a new file."""

        def make(session: Session) -> str:
            at = NOON + timedelta(microseconds=next(self._numbers))
            text = str(root.to_v1())
            times = {"created_at": at, "updated_at": at, "organisation_id": caller.organisation_id}
            pin = PinRow(
                cid=text, root=text, name="", status=status, of_file=as_file, size_bytes=0 if as_file else size, **times
            )
            session.add(pin)
            session.flush()
            if not as_file:
                return pin.id
            file = FileRow(
                pin_id=pin.id,
                cid=text,
                root=text,
                name="a",
                size_bytes=size,
                block_bytes=size,
                content_type="text/plain",
                profile="unixfs-v1-2025",
                **times,
            )
            session.add(file)
            session.flush()
            return file.id

        return self.database.everybody.write_now(make)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    with Node(tmp_path / "node") as node:
        house = House(database, node)
        yield house
        run(house.threads.close())


def kept(house: House, caller: Caller) -> tuple[int | None, int | None]:
    total = run(house.service.total(caller))
    return total.kept.unique_bytes, total.kept.shared_bytes


# -- what is measured --------------------------------------------------------------------------------------------------


def test_blocks_that_two_tenants_reach_are_shared_and_all_others_are_unique(house: House) -> None:
    a, b, c = (bytes([number]) * KIB for number in range(3))
    one, two = house.caller("one"), house.caller("two")
    first, second = house.content(a, b), house.content(b, c)
    house.keep(one, first)
    house.keep(two, second)
    run(house.service.measure())
    envelope = len(house.node.block_get(first))
    assert kept(house, one) == (KIB + envelope, KIB)
    assert kept(house, two) == (KIB + len(house.node.block_get(second)), KIB)


def test_what_one_tenant_keeps_twice_is_counted_once_and_is_unique(house: House) -> None:
    one = house.caller("one")
    both = house.content(b"a" * KIB, b"b" * KIB)
    house.keep(one, both)
    house.keep(one, both, as_file=True)
    house.keep(one, house.content(b"a" * KIB))
    run(house.service.measure())
    assert kept(house, one) == (2 * KIB + len(house.node.block_get(both)), 0)


def test_what_is_not_pinned_yet_weighs_nothing(house: House) -> None:
    one, two = house.caller("one"), house.caller("two")
    root = house.content(b"a" * KIB)
    house.keep(one, root)
    house.keep(two, root, status="queued")
    house.keep(two, CID.of(b"nobody has this"))
    run(house.service.measure())
    assert kept(house, one) == (KIB, 0)
    assert kept(house, two) == (0, 0)


def test_more_roots_than_one_page_are_all_measured(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.services.usage.measure._PAGE", 3)
    monkeypatch.setattr("pinfold.node.footprint._AT_ONCE", 2)
    one = house.caller("one")
    for number in range(10):
        house.keep(one, house.content(bytes([number]) * 10))
    run(house.service.measure())
    assert kept(house, one) == (100, 0)


def test_whoever_asks_at_once_again_gets_the_last_measurement(house: House) -> None:
    one = house.caller("one")
    first = run(house.service.measure())
    house.keep(one, house.content(b"a" * KIB))
    house.now += timedelta(seconds=1)
    assert run(house.service.measure()) == first
    assert kept(house, one) == (0, 0)
    house.now += timedelta(minutes=10)
    assert run(house.service.measure()) == house.now
    assert kept(house, one) == (KIB, 0)


def test_a_measurement_that_is_stopped_writes_nothing(house: House) -> None:
    one = house.caller("one")
    house.keep(one, house.content(b"a" * KIB))
    house.threads.stopping.set()
    with pytest.raises(Stopped):
        run(house.measurer.measure_now())
    kept = run(house.service.total(one)).kept
    assert (kept.unique_bytes, kept.shared_bytes, kept.measured_at) == (None, None, None)


def test_the_last_measurement_of_a_day_stands_for_it_beside_what_was_counted(house: House) -> None:
    one = house.caller("one")

    def totals(files: int) -> None:
        values = {"files": files, "logical_bytes": files * 100}
        statement = update(TotalsRow).where(TotalsRow.organisation_id == one.organisation_id).values(**values)
        house.database.everybody.write_now(lambda session: session.execute(statement))

    house.database.of(one.organisation_id).write_now(usage.add_upload, one.organisation_id, DAY, 7)
    totals(1)
    run(house.measurer.measure_now())
    house.now += timedelta(hours=6)
    totals(2)
    run(house.measurer.measure_now())
    house.now += timedelta(hours=12)
    totals(3)
    yesterday, today = run(house.service.days(one))
    assert (yesterday.day, yesterday.kept.files, yesterday.kept.logical_bytes) == (DAY, 2, 200)
    assert yesterday.kept.measured_at == NOON + timedelta(hours=6)
    assert (yesterday.done.uploads, yesterday.done.uploaded_bytes) == (1, 7)
    assert (today.day, today.kept.files, today.done.uploads) == (DAY + timedelta(days=1), 3, 0)
    assert today.kept.measured_at == NOON + timedelta(hours=6)


# -- what is asked for -------------------------------------------------------------------------------------------------


def test_days_are_those_from_the_first_to_the_last(house: House) -> None:
    one = house.caller("one")
    for back in range(40):
        day = DAY - timedelta(days=back)
        house.database.of(one.organisation_id).write_now(usage.add_upload, one.organisation_id, day, back)

    def asked(first: date | None, last: date | None) -> list[date]:
        return [day.day for day in run(house.service.days(one, first, last))]

    assert asked(None, None) == [DAY - timedelta(days=back) for back in range(29, -1, -1)]
    assert asked(DAY - timedelta(days=2), DAY - timedelta(days=1)) == [
        DAY - timedelta(days=2),
        DAY - timedelta(days=1),
    ]
    assert asked(DAY + timedelta(days=1), DAY + timedelta(days=2)) == []
    assert asked(None, date.min) == []


def test_days_in_disorder_or_too_many_are_refused(house: House) -> None:
    one = house.caller("one")
    with pytest.raises(InvalidInput):
        run(house.service.days(one, DAY, DAY - timedelta(days=1)))
    with pytest.raises(InvalidInput):
        run(house.service.days(one, DAY - timedelta(days=366), DAY))
    assert run(house.service.days(one, DAY - timedelta(days=365), DAY))


def test_the_total_tells_the_quota_and_all_that_was_done(house: House) -> None:
    one, two = house.caller("one"), house.caller("two")
    quota = update(OrganisationRow).where(OrganisationRow.id == one.organisation_id).values(quota_bytes=5000)
    house.database.everybody.write_now(lambda session: session.execute(quota))
    for back in range(3):
        day = DAY - timedelta(days=back)
        house.database.of(one.organisation_id).write_now(usage.add_upload, one.organisation_id, day, 10)
    total = run(house.service.total(one))
    assert (total.limits.bytes, total.limits.files) == (5000, None)
    assert (total.done.uploads, total.done.uploaded_bytes) == (3, 30)
    assert run(house.service.total(two)).done.uploads == 0


# -- what would be freed -----------------------------------------------------------------------------------------------


def freed(house: House, caller: Caller, **named: Any) -> tuple[int, int, int]:
    found = run(house.service.would_free(caller, **named))
    return found.freed_bytes, found.logical_bytes, found.roots_still_needed


def test_only_blocks_that_the_organisation_needs_no_longer_are_freed(house: House) -> None:
    one = house.caller("one")
    root = house.content(b"a" * KIB, b"b" * KIB)
    pin = house.keep(one, root, size=5000)
    house.keep(one, house.content(b"b" * KIB))
    envelope = len(house.node.block_get(root))
    assert freed(house, one, pin_ids=[pin]) == (KIB + envelope, 5000, 0)


def test_a_root_that_another_pin_of_the_organisation_names_frees_nothing(house: House) -> None:
    one = house.caller("one")
    root = house.content(b"a" * KIB)
    file = house.keep(one, root, as_file=True, size=KIB)
    assert freed(house, one, file_ids=[file]) == (KIB, KIB, 0)
    house.keep(one, root, status="queued")
    assert freed(house, one, file_ids=[file]) == (0, KIB, 1)


def test_what_other_organisations_keep_changes_nothing(house: House) -> None:
    one, two = house.caller("one"), house.caller("two")
    root = house.content(b"a" * KIB, b"b" * KIB)
    pin = house.keep(one, root, size=5000)
    alone = freed(house, one, pin_ids=[pin])
    house.keep(two, root)  # the whole of it,
    house.keep(two, house.content(b"b" * KIB))  # a part of it,
    house.keep(two, house.content(b"c" * KIB, b"a" * KIB))  # or more than it
    assert freed(house, one, pin_ids=[pin]) == alone
    assert alone[0] > 2 * KIB


def test_all_that_has_a_cid_goes_together(house: House) -> None:
    one = house.caller("one")
    root = house.content(b"a" * KIB)
    pin, file = house.keep(one, root, size=KIB), house.keep(one, root, as_file=True, size=KIB)
    assert freed(house, one, pin_ids=[pin]) == (0, KIB, 1)
    assert freed(house, one, pin_ids=[pin], file_ids=[file]) == (KIB, 2 * KIB, 0)
    assert freed(house, one, cids=[root]) == (KIB, 2 * KIB, 0)
    assert freed(house, one, cids=[root, root], pin_ids=[pin, pin]) == (KIB, 2 * KIB, 0)


def test_blocks_that_two_of_the_named_share_are_freed_by_both_together(house: House) -> None:
    one = house.caller("one")
    first, second = house.content(b"a" * KIB, b"s" * KIB), house.content(b"s" * KIB)
    pins = [house.keep(one, first), house.keep(one, second)]
    envelope = len(house.node.block_get(first))
    assert freed(house, one, pin_ids=pins[1:])[0] == 0
    assert freed(house, one, pin_ids=pins[:1])[0] == KIB + envelope
    assert freed(house, one, pin_ids=pins)[0] == 2 * KIB + envelope


def test_what_was_pinned_by_hand_stays_and_so_frees_nothing(house: House) -> None:
    one = house.caller("one")
    root = house.content(b"a" * KIB, name="my own")
    assert freed(house, one, pin_ids=[house.keep(one, root)])[0] == 0


def test_what_another_tenant_has_cannot_be_named(house: House) -> None:
    one, two = house.caller("one"), house.caller("two")
    root = house.content(b"a" * KIB)
    pin, file = house.keep(one, root), house.keep(one, root, as_file=True)
    for named, refusal in (
        ({"pin_ids": [pin]}, PinNotFound),
        ({"file_ids": [file]}, FileRecordNotFound),
        ({"cids": [root]}, PinNotFound),
    ):
        with pytest.raises(refusal):
            run(house.service.would_free(two, **named))
    of_file = house.database.everybody.read_now(usage.pins_of_files, [file])[file][0]
    with pytest.raises(PinNotFound):
        run(house.service.would_free(one, pin_ids=[of_file]))
