"""What pins promise, on every database: quotas, copies, time limits, many workers, many items."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import PinConflict, PinNotFound, QuotaExceeded, ReplicationImpossible
from pinfold.core.tier import Tier
from pinfold.db import changes, pins
from pinfold.db.models import AuditRow, OrganisationRow, PinRow, ReconciliationRow, TotalsRow
from pinfold.db.pin_lists import Match, PinFilter
from pinfold.engine import Content
from pinfold.services.accounts import Caller
from pinfold.services.pins import PinRequest, Priority, RequestStatus, Wanted
from pinfold.services.pins.bulk import BulkOutcome
from pinfold.services.pins.model import root_of
from tests.support.pins_world import GRACE_S, Story, World, in_a_world
from tests.support.platform import PATIENCE_S

ROOT = CID.of(b"root")
OTHER = CID.of(b"other")

Play = Callable[[Story], None]


@pytest.fixture
def play(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Runs a test's coroutine in a fresh world."""
    monkeypatch.setattr("pinfold.services.pins.fetching.LOOK_S", 0.01)

    return partial(in_a_world, tmp_path, database_url)


def set_quota(world: World, caller: Caller, **quotas: int) -> None:
    def change(session: Session) -> None:
        session.execute(update(OrganisationRow).where(OrganisationRow.id == caller.organisation_id).values(**quotas))

    world.database.everybody.write_now(change)


def totals(world: World, caller: Caller) -> tuple[int, int]:
    """Pins and bytes that count for an organisation."""

    def read(session: Session) -> tuple[int, int]:
        row = session.scalars(select(TotalsRow).where(TotalsRow.organisation_id == caller.organisation_id)).one()
        return row.pins, row.logical_bytes

    return world.database.everybody.read_now(read)


async def only(world: World, cid: CID, caller: Caller | None = None) -> PinRequest:
    """The one request for a CID."""
    (request,) = (await world.report(cid, caller)).requests
    return request


# -- quotas ----------------------------------------------------------------------------------------------------------


def test_content_is_kept_for_those_whose_quota_allows_it_and_given_up_for_the_others(play: Play) -> None:
    async def story(world: World) -> None:
        poor = world.other()
        set_quota(world, poor, quota_bytes=99)
        world.engine.far[ROOT] = Content(3, 100)
        world.engine.arrived.set()
        await world.ask(ROOT)
        await world.ask(ROOT, caller=poor)
        await world.work()
        assert (await only(world, ROOT)).status is RequestStatus.PINNED
        refused = await only(world, ROOT, poor)
        assert refused.status is RequestStatus.FAILED
        assert refused.error
        assert "quota" in refused.error
        assert world.engine.kept == {ROOT}
        assert (totals(world, world.me), totals(world, poor)) == ((1, 100), (1, 0))

    play(story)


def test_what_no_quota_allows_is_fetched_no_further_and_kept_by_nobody(play: Play) -> None:
    async def story(world: World) -> None:
        set_quota(world, world.me, quota_bytes=99)
        world.engine.far[ROOT] = Content(3, 100)
        world.engine.arrived.set()
        await world.ask(ROOT)
        await world.work()
        request = await only(world, ROOT)
        assert request.status is RequestStatus.FAILED
        assert "99" in str(request.error)
        world.now += timedelta(days=1)
        assert await world.work() == 0, "it is not tried again by itself"
        assert world.engine.kept == set()
        set_quota(world, world.me, quota_bytes=100)
        world.engine.far[ROOT] = Content(3, 100)
        await world.ask(ROOT)
        await world.work()
        assert (await only(world, ROOT)).status is RequestStatus.PINNED

    play(story)


def test_two_requests_that_fit_alone_but_not_together_never_overshoot(play: Play) -> None:
    async def story(world: World) -> None:
        set_quota(world, world.me, quota_bytes=150)
        world.engine.sizes = {ROOT: Content(1, 100), OTHER: Content(1, 100)}
        await world.ask(ROOT)
        await world.ask(OTHER)
        leases = await world.reconciler.lease(10)
        assert len(leases) == 2
        await asyncio.gather(*(world.reconciler.carry_out(lease) for lease in leases))
        await world.work()
        statuses = sorted([(await only(world, ROOT)).status, (await only(world, OTHER)).status])
        assert statuses == [RequestStatus.FAILED, RequestStatus.PINNED]
        assert totals(world, world.me) == (2, 100)
        assert len(world.engine.kept) == 1

    play(story)


def test_bytes_count_once_for_each_request_and_are_given_back_with_it(play: Play) -> None:
    async def story(world: World) -> None:
        world.engine.sizes[ROOT] = Content(2, 70)
        first = await world.ask(ROOT, "first")
        await world.work()
        second = await world.ask(ROOT, "second")
        await world.work()
        await world.ask(ROOT, "second")
        await world.work()
        assert totals(world, world.me) == (2, 140)
        await world.pins.remove(world.me, first.id)
        await world.work()
        assert totals(world, world.me) == (1, 70)
        assert world.engine.kept == {ROOT}
        await world.pins.remove(world.me, second.id)
        await world.work()
        assert totals(world, world.me) == (0, 0)
        assert world.engine.kept == set()

    play(story)


def test_more_requests_than_the_quota_has_are_refused(play: Play) -> None:
    async def story(world: World) -> None:
        set_quota(world, world.me, quota_pins=1)
        await world.ask(ROOT)
        with pytest.raises(QuotaExceeded):
            await world.ask(OTHER)
        await world.ask(ROOT)
        results = await world.bulk.add(world.me, [Wanted(OTHER), Wanted(ROOT)])
        assert [one.outcome for one in results] == [BulkOutcome.REFUSED, BulkOutcome.RENEWED]

    play(story)


# -- fetching --------------------------------------------------------------------------------------------------------


def test_progress_is_noted_while_content_comes_and_origins_of_all_requests_are_asked(play: Play) -> None:
    async def story(world: World) -> None:
        world.engine.far[ROOT] = Content(3, 30)
        await world.ask(ROOT, origins=("/dns4/one.example/tcp/443/https",))
        await world.ask(ROOT, caller=world.other(), origins=("/dns4/two.example/tcp/443/https",))
        working = asyncio.create_task(world.work())
        async with asyncio.timeout(PATIENCE_S):
            while (report := await world.report(ROOT)).progress is None:
                await asyncio.sleep(0.01)
        assert report.requests[0].status is RequestStatus.PINNING
        assert (report.progress.blocks, report.progress.bytes) == (1, 5)
        assert [origin.split("/")[2] for origin in world.engine.fetching[ROOT].origins] == [
            "one.example",
            "two.example",
        ]
        world.engine.arrived.set()
        await working
        report = await world.report(ROOT)
        assert report.requests[0].status is RequestStatus.PINNED
        assert report.progress is not None
        assert (report.progress.blocks, report.progress.size_bytes) == (3, 30)

    play(story)


def test_a_fetch_stops_when_nobody_wants_its_content_any_more(play: Play) -> None:
    async def story(world: World) -> None:
        world.engine.far[ROOT] = Content(3, 30)
        request = await world.ask(ROOT)
        working = asyncio.create_task(world.work())
        async with asyncio.timeout(PATIENCE_S):
            while not world.engine.fetching:
                await asyncio.sleep(0.01)
            await world.pins.remove(world.me, request.id)
            await working
        assert not world.engine.fetching
        assert world.engine.kept == set()
        assert not await world.reconciler.lease(10)

    play(story)


# -- replacing, changing, expiring -----------------------------------------------------------------------------------


def test_what_a_request_replaces_is_kept_until_the_new_content_is_here(play: Play) -> None:
    async def story(world: World) -> None:
        old = await world.ask(ROOT)
        await world.work()
        world.engine.far[OTHER] = Content(1, 10)
        new = await world.pins.replace(world.me, old.id, Wanted(OTHER, replication_factor_max=1))
        assert new.id != old.id
        with pytest.raises(PinNotFound):
            await world.pins.get(world.me, old.id)
        working = asyncio.create_task(world.work())
        async with asyncio.timeout(PATIENCE_S):
            while not world.engine.fetching:
                await asyncio.sleep(0.01)
        assert world.engine.kept == {ROOT}
        world.engine.arrived.set()
        await working
        assert world.engine.kept == {OTHER}
        assert totals(world, world.me) == (1, 10)

    play(story)


def test_a_replacement_of_the_same_content_never_lets_go_of_it(play: Play) -> None:
    async def story(world: World) -> None:
        old = await world.ask(ROOT, "old")
        await world.work()
        new = await world.pins.replace(world.me, old.id, Wanted(ROOT, "new", replication_factor_max=1))
        await world.work()
        assert ("unpin", ROOT) not in world.engine.calls
        assert (await only(world, ROOT)).id == new.id

    play(story)


def test_a_request_expires_after_its_grace_unless_it_is_renewed(play: Play) -> None:
    async def story(world: World) -> None:
        end = world.now + timedelta(hours=1)
        late, kept = await world.ask(ROOT, expires_at=end), await world.ask(OTHER, expires_at=end)
        elsewhere = await world.ask(ROOT, caller=world.other(), expires_at=end + timedelta(hours=1))
        await world.work()
        world.now = end + timedelta(seconds=GRACE_S - 1)
        assert await world.expiry.run() == 0
        await world.bulk.renew(world.me, [kept.id], None)
        world.now += timedelta(seconds=1)
        assert await world.expiry.run() == 1
        await world.work()
        with pytest.raises(PinNotFound):
            await world.pins.get(world.me, late.id)
        assert world.engine.kept == {ROOT, OTHER}, "another organisation wants it still"
        world.now += timedelta(hours=1)
        assert await world.expiry.run() == 1
        await world.work()
        assert world.engine.kept == {OTHER}
        with pytest.raises(PinNotFound):
            await world.pins.get(world.other(), elsewhere.id)
        said = world.database.everybody.read_now(lambda session: list(session.scalars(select(AuditRow.action))))
        assert said.count("pin.expired") == 2

    play(story)


def test_the_request_of_a_file_is_changed_with_its_file_only(play: Play) -> None:
    async def story(world: World) -> None:
        def of_file(session: Session) -> str:
            change = changes.begin(session, world.me.actor, world.now)
            return pins.insert(session, change, cid=str(ROOT), root=root_of(ROOT), of_file=True).id

        pin_id = await world.database.of(world.me.organisation_id).write(of_file)
        for attempt in (
            world.pins.remove(world.me, pin_id),
            world.pins.change(world.me, pin_id, {"name": "mine"}),
            world.pins.replace(world.me, pin_id, Wanted(OTHER)),
            world.pins.remove_all(world.me, ROOT),
        ):
            with pytest.raises(PinConflict):
                await attempt
        (result,) = await world.bulk.remove(world.me, [pin_id])
        assert result.outcome is BulkOutcome.REFUSED

    play(story)


def test_copies_follow_the_tier_and_what_cannot_be_is_refused(play: Play) -> None:
    async def story(world: World) -> None:
        plain, _ = await world.pins.ask(world.me, Wanted(ROOT))
        assert (plain.tier, plain.replication_factor_min, plain.replication_factor_max) == (Tier.STANDARD, 1, 2)
        important, _ = await world.pins.ask(world.me, Wanted(ROOT, tier=Tier.IMPORTANT))
        assert (important.replication_factor_min, important.replication_factor_max) == (2, 3)
        with pytest.raises(ReplicationImpossible, match="2 nodes"):
            await world.pins.ask(world.me, Wanted(ROOT, tier=Tier.CRITICAL))
        with pytest.raises(ReplicationImpossible, match="2 nodes"):
            await world.pins.ask(world.me, Wanted(ROOT, replication_factor_min=3))
        await world.work()
        report = await world.report(ROOT)
        assert (report.health, report.total_replicas, report.healthy_replicas) == ("unhealthy", 3, 1)

    play(story)


# -- many workers ----------------------------------------------------------------------------------------------------


def test_no_root_is_leased_twice_however_many_ask_and_the_urgent_come_first(play: Play) -> None:
    async def story(world: World) -> None:
        cids = [CID.of(b"%d" % number) for number in range(60)]
        await world.bulk.add(world.me, [Wanted(cid, priority=Priority.NORMAL) for cid in cids])
        urgent = cids[-3:]
        await world.bulk.add(world.me, [Wanted(cid, "urgent", priority=Priority.HIGH) for cid in urgent])
        first = await world.worker("first").lease(3)
        assert {lease.cid for lease in first} == {cid.to_v1() for cid in urgent}
        workers = [world.worker(f"worker {number}") for number in range(8)]
        rounds = await asyncio.gather(*(worker.lease(4) for worker in workers for _ in range(4)))
        leased = [lease.cid for leases in rounds for lease in leases]
        assert len(leased) == len(set(leased)) == 57

    play(story)


def test_wishes_and_workers_side_by_side_leave_what_was_wished_last(play: Play) -> None:
    async def story(world: World) -> None:
        chance = random.Random(7)
        cids = [CID.of(b"%d" % number) for number in range(12)]
        callers = [world.me, world.other()]
        wanted: set[tuple[int, CID]] = set()
        stop = asyncio.Event()

        async def work(owner: str) -> None:
            worker = world.worker(owner)
            while not stop.is_set():
                leases = await worker.lease(5)
                await asyncio.gather(*(worker.carry_out(lease) for lease in leases))
                await asyncio.sleep(0.001)

        async def wish(who: int, cid: CID) -> None:
            for _ in range(6):
                if chance.random() < 0.5:
                    await world.ask(cid, caller=callers[who])
                    wanted.add((who, cid))
                elif (who, cid) in wanted:
                    await world.pins.remove_all(callers[who], cid)
                    wanted.discard((who, cid))

        workers = [asyncio.create_task(work(f"worker {number}")) for number in range(3)]
        await asyncio.gather(*(wish(who, cid) for who in range(2) for cid in cids))
        stop.set()
        await asyncio.gather(*workers)
        await world.work()
        assert world.engine.kept == {cid.to_v1() for _, cid in wanted}
        for who, cid in wanted:
            assert (await only(world, cid, callers[who])).status is RequestStatus.PINNED
        for who, caller in enumerate(callers):
            own = sum(one == who for one, _ in wanted)
            assert totals(world, caller) == (own, 10 * own)
        left = world.database.everybody.read_now(lambda session: list(session.scalars(select(ReconciliationRow))))
        assert left == []

    play(story)


# -- lists and many items --------------------------------------------------------------------------------------------


def test_lists_find_what_a_look_at_every_request_finds(play: Play) -> None:
    async def story(world: World) -> None:
        chance = random.Random(3)
        names = ["Report", "report", "the REPORT of March", "50% _off_", 'quo"te', "日本語の文書", "ab", ""]
        cids = [CID.of(b"%d" % number) for number in range(5)]
        wishes = [
            Wanted(
                chance.choice(cids),
                f"{chance.choice(names)}{number if number % 3 else ''}",
                meta={"app": chance.choice("xy"), "n": str(number % 4)} if number % 2 else {},
            )
            for number in range(80)
        ]
        for wish in wishes:
            await world.pins.add(world.me, wish)
        await world.pins.add(world.other(), Wanted(cids[0], "Report", meta={"app": "x"}))
        for lease in await world.reconciler.lease(2):
            await world.reconciler.carry_out(lease)
        everything = list((await world.pins.page(world.me, PinFilter(), 1000)).requests)
        assert [one.created_at for one in everything] == sorted((one.created_at for one in everything), reverse=True)
        assert len({one.created_at for one in everything}) == 80

        def expected(wanted: PinFilter) -> list[str]:
            def fits(one: PinRequest) -> bool:
                name, term = one.name, wanted.name or ""
                named = {
                    Match.EXACT: name == term,
                    Match.IEXACT: name.lower() == term.lower(),
                    Match.PARTIAL: term in name,
                    Match.IPARTIAL: term.lower() in name.lower(),
                }[wanted.match]
                return (
                    (not wanted.roots or str(one.cid.to_v1()) in wanted.roots)
                    and (wanted.name is None or named)
                    and (not wanted.statuses or one.status in wanted.statuses)
                    and all(one.meta.get(key) == value for key, value in wanted.meta.items())
                    and (wanted.before is None or one.created_at < wanted.before)
                    and (wanted.after is None or one.created_at > wanted.after)
                )

            return [one.id for one in everything if fits(one)]

        some: list[dict[str, Any]] = [
            {},
            *(
                {"name": name, "match": match}
                for match in Match
                for name in ("report", "Report", "% _", 'o"t', "の文", "a")
            ),
            {"statuses": frozenset({"pinned"})},
            {"statuses": frozenset({"pinned", "failed"})},
            {"statuses": frozenset({"queued", "pinned", "failed", "pinning"})},
            {"roots": [root_of(cids[1]), root_of(cids[2])]},
            {"meta": {"app": "x"}},
            {"meta": {"app": "x", "n": "1"}},
            {"meta": {"app": "nobody's"}},
        ]
        times: list[dict[str, Any]] = [
            {},
            {"before": everything[20].created_at},
            {"after": everything[50].created_at},
            {"before": everything[20].created_at, "after": everything[50].created_at},
        ]
        for one in some:
            for time in times:
                for more in ({}, {"roots": [root_of(cids[0]), root_of(cids[1])]}, {"meta": {"n": "3"}}):
                    wanted = PinFilter(**{**one, **time, **more})
                    found = await world.pins.page(world.me, wanted, 1000)
                    assert [request.id for request in found.requests] == expected(wanted), wanted
                    assert (found.total, found.total_is_exact, found.has_more) == (len(found.requests), True, False)

    play(story)


@pytest.mark.parametrize(
    "filters",
    [{}, {"statuses": frozenset({"queued", "failed"})}, {"name": "n", "match": Match.IPARTIAL}, {"meta": {"a": "b"}}],
)
def test_pages_by_cursor_and_by_offset_are_the_whole_list(play: Play, filters: dict[str, Any]) -> None:
    async def story(world: World) -> None:
        wishes = [Wanted(CID.of(b"%d" % number), f"n{number}", meta={"a": "b"}) for number in range(25)]
        await world.bulk.add(world.me, wishes)
        wanted = PinFilter(**filters)
        whole = [one.id for one in (await world.pins.page(world.me, wanted, 1000)).requests]
        assert len(whole) == 25
        by_cursor, cursor = [], None
        while True:
            page = await world.pins.page(world.me, wanted, 4, cursor=cursor)
            by_cursor += [one.id for one in page.requests]
            assert page.total == 25
            if not page.has_more:
                break
            cursor = page.requests[-1].created_at
        by_offset = []
        for offset in range(0, 28, 4):
            page = await world.pins.page(world.me, wanted, 4, offset=offset)
            by_offset += [one.id for one in page.requests]
            assert page.has_more == (offset < 24)
        assert by_cursor == by_offset == whole

    play(story)


def test_many_items_have_a_result_each_and_are_counted(play: Play) -> None:
    async def story(world: World) -> None:
        wishes = [Wanted(CID.of(b"%d" % number), meta={"n": str(number)}) for number in range(2500)]
        impossible = Wanted(ROOT, replication_factor_min=9)
        added = await world.bulk.add(world.me, [*wishes, wishes[0], impossible])
        outcomes = [one.outcome for one in added]
        assert outcomes == [BulkOutcome.CREATED] * 2500 + [BulkOutcome.RENEWED, BulkOutcome.REFUSED]
        assert (added[-1].code, added[-2].id) == ("REPLICATION_IMPOSSIBLE", added[0].id)
        assert totals(world, world.me) == (2500, 0)
        ids = [one.id for one in added[:-2] if one.id]
        theirs = await world.ask(OTHER, caller=world.other())
        end = world.now + timedelta(days=1)
        renewed = await world.bulk.renew(world.me, [*ids[:3], theirs.id], end)
        assert [one.outcome for one in renewed] == [BulkOutcome.RENEWED] * 3 + [BulkOutcome.REFUSED]
        assert (await world.pins.get(world.me, ids[0])).expires_at == end
        removed = await world.bulk.remove(world.me, [*ids[:2000], ids[0], "nonsense"])
        assert [one.outcome for one in removed] == [BulkOutcome.REMOVED] * 2000 + [BulkOutcome.REFUSED] * 2
        assert totals(world, world.me) == (500, 0)
        found = await world.pins.page(world.me, PinFilter(meta={"n": "2400"}), 10)
        assert [one.id for one in found.requests] == [ids[2400]]
        assert await world.pins.get(world.other(), theirs.id)

        def rows(session: Session) -> int:
            return len(session.scalars(select(PinRow.number)).all())

        assert world.database.everybody.read_now(rows) == 501

    play(story)
