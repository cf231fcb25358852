"""What whoever looks after the server can see of all pin requests and do about them, on every database."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, Forbidden, InvalidCID, InvalidInput, PinConflict, PinNotFound
from pinfold.db import files
from pinfold.db.models import AuditRow
from pinfold.db.paging import Wanted as PageWanted
from pinfold.db.pin_lists import Match, PinFilter
from pinfold.services.accounts import Caller, Scope, operator
from pinfold.services.accounts.organisations import OrganisationsService
from pinfold.services.accounts.records import Organisation
from pinfold.services.pins.oversight import Oversight
from tests.contract.test_pins import set_quota
from tests.support.pins_world import World
from tests.support.platform import run
from tests.support.rows import chain_breaks

ROOT = CID.of(b"root")
OTHER = CID.of(b"other")
NOBODYS = "01a1fa81-16a2-7f23-add5-4a0763bfe827"

Story = Callable[[World, Oversight], Coroutine[Any, Any, None]]
Play = Callable[[Story], None]


@pytest.fixture
def play(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Runs a test's coroutine in a fresh world."""
    monkeypatch.setattr("pinfold.services.pins.fetching.LOOK_S", 0.01)

    def go(story: Story) -> None:
        async def tell() -> None:
            world = World(database_url or f"sqlite:///{tmp_path}/platform.sqlite3")
            try:
                await story(world, Oversight(world.database, world.clock))
            finally:
                world.database.close()

        run(tell())

    return go


async def everybody(world: World) -> list[Organisation]:
    found = await OrganisationsService(world.database, world.clock).page(operator(""), PageWanted(100))
    return found.records


def actions(world: World, caller: Caller) -> list[tuple[str, str, str]]:
    """What an organisation's log says of retries and removals: action, target, who."""

    def read(session: Session) -> list[tuple[str, str, str]]:
        assert chain_breaks(session) == []
        rows = session.scalars(select(AuditRow).order_by(AuditRow.number))
        wanted = ("pin.retried", "pin.deleted")
        return [(row.action, row.target, row.actor_name) for row in rows if row.action in wanted]

    return world.database.of(caller.organisation_id).read_now(read)


async def upload(world: World, caller: Caller, cid: CID) -> tuple[str, str]:
    """The ids of a file and of the request that it made."""

    def record(session: Session) -> tuple[str, str]:
        new = files.NewFile(str(cid), str(cid), "a", 10, "text/plain", "unixfs-v1-2025", 10)
        ((file, pin, _),) = files.record(session, caller.actor, [new], None, world.now)
        return file.id, pin.id

    return await world.database.of(caller.organisation_id).write(record)


# -- looking ---------------------------------------------------------------------------------------------------------


def test_the_newest_of_all_organisations_are_listed_in_one_order(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        other = world.other()
        for number in range(6):
            world.now += timedelta(seconds=1)
            await world.ask(CID.of(b"%d" % number), f"n{number}", caller=other if number % 3 == 0 else world.me)
        whose = await everybody(world)
        for some in (whose, whose[::-1]):
            found = await oversight.newest(operator(""), some, PinFilter(), 4)
            assert [(one.organisation, one.request.name) for one in found] == [
                ("default", "n5"),
                ("default", "n4"),
                ("other", "n3"),
                ("default", "n2"),
            ]
        (only_other,) = [one for one in whose if one.slug == "other"]
        found = await oversight.newest(operator(""), [only_other], PinFilter(), 100)
        assert [one.request.name for one in found] == ["n3", "n0"]
        wanted = PinFilter(name="N4", match=Match.IPARTIAL)
        assert [one.request.name for one in await oversight.newest(operator(""), whose, wanted, 100)] == ["n4"]

    play(story)


def test_a_list_longer_than_a_page_is_whole(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.services.pins.oversight._PAGE", 2)

    async def story(world: World, oversight: Oversight) -> None:
        for number in range(5):
            await world.ask(CID.of(b"%d" % number), f"n{number}")
        found = await oversight.newest(operator(""), await everybody(world), PinFilter(), 100)
        assert [one.request.name for one in found] == ["n4", "n3", "n2", "n1", "n0"]

    play(story)


def test_what_uploads_asked_for_is_listed_where_it_is_wanted(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        _, pin_id = await upload(world, world.me, ROOT)
        whose = await everybody(world)
        assert await oversight.newest(operator(""), whose, PinFilter(), 100) == []
        (one,) = await oversight.newest(operator(""), whose, PinFilter(with_files=True), 100)
        assert (one.request.id, one.request.of_file) == (pin_id, True)

    play(story)


def test_a_report_has_the_requests_of_everybody(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        await world.ask(ROOT, "mine")
        await world.work()
        await world.ask(ROOT, "theirs", caller=world.other())
        report, asked = await oversight.report(operator(""), ROOT)
        assert [(one.organisation, one.request.name, str(one.request.status)) for one in asked] == [
            ("default", "mine", "pinned"),
            ("other", "theirs", "queued"),
        ]
        assert (report.health, report.healthy_replicas, report.total_replicas) == ("healthy", 1, 1)
        assert report.next_attempt_at is not None, "the second request is due"
        with pytest.raises(PinNotFound, match="no file and no pin request"):
            await oversight.report(operator(""), OTHER)

    play(story)


# -- doing -----------------------------------------------------------------------------------------------------------


def test_failed_requests_of_all_organisations_are_tried_at_once_and_others_are_left(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        other = world.other()
        world.engine.refusals[ROOT] = [BlockNotFound("nobody has it")]
        first, second = await world.ask(ROOT), await world.ask(ROOT, caller=other)
        await world.work()
        assert await world.work() == 0, "the next attempt is in two seconds"
        assert [str(one.status) for one in (await world.report(ROOT)).requests] == ["failed"]
        tried, left = await oversight.retry(operator(""), str(ROOT))
        assert {one.request.id for one in tried} == {first.id, second.id}
        assert {str(one.request.status) for one in tried} == {"queued"}
        assert left == []
        assert actions(world, world.me) == [("pin.retried", first.id, "command line")]
        assert actions(world, other) == [("pin.retried", second.id, "command line")]
        assert await world.work() > 0
        assert world.engine.kept == {ROOT}
        tried, left = await oversight.retry(operator(""), first.id)
        assert (tried, [str(one.request.status) for one in left]) == ([], ["pinned"])
        assert len(actions(world, world.me)) == 1

    play(story)


def test_one_request_is_tried_by_its_id_and_others_for_the_same_content_are_not(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        other = world.other()
        world.engine.refusals[ROOT] = [BlockNotFound("nobody has it")]
        first, second = await world.ask(ROOT), await world.ask(ROOT, caller=other)
        await world.work()
        tried, left = await oversight.retry(operator(""), first.id)
        assert ([one.request.id for one in tried], left) == ([first.id], [])
        assert (await world.pins.get(other, second.id)).status == "failed"
        assert actions(world, other) == []

    play(story)


def test_what_a_quota_stopped_is_tried_again_once_there_is_room(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        set_quota(world, world.me, quota_bytes=5)
        request = await world.ask(ROOT)
        await world.work()
        world.now += timedelta(days=1)
        assert await world.work() == 0, "it is given up"
        set_quota(world, world.me, quota_bytes=10)
        tried, _ = await oversight.retry(operator(""), request.id)
        assert [one.request.id for one in tried] == [request.id]
        await world.work()
        assert (await world.pins.get(world.me, request.id)).status == "pinned"

    play(story)


def test_a_request_is_forgotten_audited_and_its_content_let_go_of(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        request = await world.ask(ROOT)
        await world.work()
        with pytest.raises(PinNotFound, match="this organisation"):
            await oversight.forget(operator(world.other().organisation_id), request.id)
        assert (await oversight.forget(operator(world.me.organisation_id), request.id)).cid == ROOT
        assert actions(world, world.me) == [("pin.deleted", request.id, "command line")]
        await world.work()
        assert world.engine.kept == set()
        with pytest.raises(PinNotFound):
            await oversight.forget(operator(world.me.organisation_id), request.id)

    play(story)


def test_a_files_request_is_not_forgotten_and_the_hint_names_the_command(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        file_id, pin_id = await upload(world, world.me, ROOT)
        with pytest.raises(PinConflict, match="belongs to a file") as refused:
            await oversight.forget(operator(world.me.organisation_id), pin_id)
        assert f"`pinfold file rm --org default {file_id}`" in refused.value.hint
        assert (await world.pins.get(world.me, pin_id)).of_file
        assert actions(world, world.me) == []

    play(story)


def test_words_that_name_no_request_are_refused_for_what_they_are(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        for key, error in ((NOBODYS, PinNotFound), (str(ROOT), PinNotFound), ("x", InvalidCID), ("\udcff", InvalidCID)):
            with pytest.raises(error):
                await oversight.retry(operator(""), key)
        for key in (str(ROOT), "", "\udcff", NOBODYS.upper()):
            with pytest.raises(InvalidInput):
                await oversight.forget(operator(world.me.organisation_id), key)

    play(story)


def test_all_of_it_needs_the_right_of_the_servers_administrator(play: Play) -> None:
    async def story(world: World, oversight: Oversight) -> None:
        request = await world.ask(ROOT)
        caller = replace(world.me, scopes=frozenset(Scope) - {Scope.SERVER_ADMIN})
        for attempt in (
            oversight.newest(caller, await everybody(world), PinFilter(), 1),
            oversight.report(caller, ROOT),
            oversight.retry(caller, request.id),
            oversight.forget(caller, request.id),
        ):
            with pytest.raises(Forbidden):
                await attempt

    play(story)
