"""Wrong passwords: they slow down who guesses, and leave the person whose account it is a way in."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.core.errors import Unauthorised
from pinfold.db import Database, sign_ins
from pinfold.db.audit import Filter
from pinfold.db.models import SignInAddressRow
from pinfold.db.paging import Wanted
from pinfold.db.sign_ins import KNOWN_FOR, LONGEST_PAUSE, MOST_FROM_ADDRESS, MOST_FROM_NEW
from pinfold.services.accounts import Caller, Role
from tests.support.people import MINUTE, SECRET, House, inside, refused

EMAIL = "ada@example.org"
HOME, OFFICE, ATTACKER = "198.51.100.1", "198.51.100.2", "203.0.113.7"


async def ada_at_home(house: House) -> tuple[Caller, Caller]:
    """The administrator, and Ada, who has signed in from home."""
    owner = await house.owner()
    ada = await house.join(owner, EMAIL, Role.MEMBER)
    await house.sign_in.sign_in(EMAIL, SECRET, address=HOME)
    return owner, ada


async def guess(house: House, address: str, password: str = "wrong") -> bool:
    try:
        await house.sign_in.check(EMAIL, password, address=address)
    except Unauthorised:
        return False
    return True


async def guesses(house: House, number: int) -> None:
    """So many wrong passwords at once, each from an address that nobody has seen."""
    await asyncio.gather(
        *(house.database.everybody.write(sign_ins.begin, EMAIL, f"192.0.2.{n}", house.now) for n in range(number))
    )


def test_ten_wrong_passwords_close_an_account_to_their_address_and_to_no_other(database: Database) -> None:
    async def work(house: House) -> None:
        await ada_at_home(house)
        for _ in range(MOST_FROM_ADDRESS):
            assert not await guess(house, ATTACKER)
        assert not await guess(house, ATTACKER, SECRET)
        assert await guess(house, HOME, SECRET)
        assert await guess(house, OFFICE, SECRET)

    inside(database, work)


def test_the_pause_grows_and_ends_by_itself(database: Database) -> None:
    async def work(house: House) -> None:
        await ada_at_home(house)
        for _ in range(MOST_FROM_ADDRESS):
            await guess(house, HOME)
        pauses = []
        for _ in range(8):
            began = house.now
            while not await _is_tried(house):
                house.now += MINUTE
            pauses.append(house.now - began)
            await guess(house, HOME)
        assert pauses[:3] == [MINUTE, 2 * MINUTE, 4 * MINUTE]
        assert pauses[-1] == LONGEST_PAUSE
        house.now += LONGEST_PAUSE
        assert await guess(house, HOME, SECRET)
        assert not await guess(house, HOME)  # and all is forgotten
        assert await guess(house, HOME, SECRET)

    inside(database, work)


async def _is_tried(house: House) -> bool:
    """Whether a password from home would be looked at now; nothing is counted."""

    def look(session: Session) -> bool:
        until = session.scalar(select(SignInAddressRow.blocked_until).where(SignInAddressRow.network == HOME))
        return until is None or until <= house.now

    return await house.database.everybody.read(look)


def test_guesses_from_many_addresses_are_bounded_and_leave_known_addresses_a_way_in(database: Database) -> None:
    async def work(house: House) -> None:
        owner, ada = await ada_at_home(house)
        await guesses(house, MOST_FROM_NEW)
        assert not await guess(house, OFFICE, SECRET)  # never seen: it waits with all others
        assert await guess(house, HOME, SECRET)
        assert not await guess(house, OFFICE, SECRET)  # a sign-in from elsewhere gives guesses nothing back
        me = await house.users.me(ada)
        assert me is not None and me.locked_until == house.now + MINUTE
        house.now += MINUTE
        assert await guess(house, OFFICE, SECRET)
        tried = 0
        for _ in range(24):
            house.now += timedelta(hours=1)
            before = await _counted(house)
            await guesses(house, 20)
            tried += await _counted(house) - before
        assert tried <= 24 + MOST_FROM_NEW
        assert await guess(house, HOME, SECRET)
        await house.users.update(owner, ada.user_id or "", unlock=True)
        assert await guess(house, ATTACKER, SECRET)

    inside(database, work)


async def _counted(house: House) -> int:
    def look(session: Session) -> int:
        return session.scalar(select(func.sum(SignInAddressRow.failures))) or 0

    return await house.database.everybody.read(look)


def test_a_thousand_at_once_are_a_thousand_tries(database: Database) -> None:
    async def work(house: House) -> None:
        await ada_at_home(house)
        results = await asyncio.gather(*(guess(house, ATTACKER) for _ in range(30)))
        assert not any(results)
        assert await _counted(house) == MOST_FROM_ADDRESS

    inside(database, work)


def test_a_new_password_is_guarded_by_the_same_count(database: Database) -> None:
    async def work(house: House) -> None:
        _, ada = await ada_at_home(house)
        for _ in range(MOST_FROM_ADDRESS):
            wrong = house.users.update_me(ada, password="another long one", current_password="wrong")
            await refused(Unauthorised, wrong)
        right = house.users.update_me(ada, password="another long one", current_password=SECRET)
        await refused(Unauthorised, right, "too many")
        assert await guess(house, HOME, SECRET)

    inside(database, work)


def test_wrong_passwords_stand_in_the_log_with_account_and_address(database: Database) -> None:
    async def work(house: House) -> None:
        owner, ada = await ada_at_home(house)
        for _ in range(MOST_FROM_ADDRESS + 5):
            await guess(house, ATTACKER)
        with pytest.raises(Unauthorised):
            await house.sign_in.check("nobody@example.org", "wrong", address=ATTACKER)
        found = (await house.audit.page(owner, Wanted(50), Filter(action="session.refused"))).records
        assert len(found) == MOST_FROM_ADDRESS  # what was not tried is not written: the log has no flood
        assert {(one.target, one.address, one.detail["email"]) for one in found} == {(ada.user_id, ATTACKER, EMAIL)}
        assert [("blocked_until" in one.detail) for one in found] == [True] + [False] * (MOST_FROM_ADDRESS - 1)
        assert (await house.audit.verify(owner.organisation_id)).broken_at is None

    inside(database, work)


def test_addresses_are_forgotten(database: Database) -> None:
    async def work(house: House) -> None:
        await ada_at_home(house)
        await guess(house, ATTACKER)
        await house.accounts.prune_sessions()
        assert await _addresses(house) == {HOME, ATTACKER, ""}
        house.now += timedelta(days=1, minutes=1)
        await house.accounts.prune_sessions()
        assert await _addresses(house) == {HOME, ""}
        house.now += KNOWN_FOR
        await house.accounts.prune_sessions()
        assert await _addresses(house) == set()

    inside(database, work)


async def _addresses(house: House) -> set[str]:
    def look(session: Session) -> set[str]:
        return set(session.scalars(select(SignInAddressRow.network)))

    return await house.database.everybody.read(look)
