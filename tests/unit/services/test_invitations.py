"""An invitation is for the person of the address; whoever made it holds its secret too, and gains nothing by that."""

from __future__ import annotations

import pytest

from pinfold.core.errors import Unauthorised
from pinfold.db import Database
from pinfold.services.accounts import Role, Scope, operator
from pinfold.services.accounts.members import MembersService
from tests.support.people import SECRET, House, inside, refused

VICTIM = "victim@example.org"
STOLEN = "a password of the thief"


def test_an_inviter_makes_no_account_of_somebody_else_s_address(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        thief = await house.join(first, "thief@example.org", Role.OWNER)
        _, code = await house.members.invite(thief, VICTIM, Role.MEMBER)
        await refused(Unauthorised, house.members.accept(code, "Victim", STOLEN))
        await refused(Unauthorised, house.sign_in.check(VICTIM, STOLEN))
        victim = await house.join(first, VICTIM, Role.MEMBER)  # the administrator's invitation makes the user
        await house.members.remove(first, victim.user_id or "")
        await refused(Unauthorised, house.members.accept(code, "Victim", STOLEN))
        session = await house.members.accept(code, "", SECRET)  # whom it is for proves it
        assert session.user_id == victim.user_id

    inside(database, work)


def test_a_refused_acceptance_does_not_tell_whether_the_address_is_a_user_s(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        admin = await house.join(first, "admin@example.org", Role.ADMIN)
        await house.users.create(first, "there@example.org", "x", SECRET)
        said = set()
        for email in ("there@example.org", "nobody@example.org"):
            for password in (STOLEN, "short"):
                _, code = await house.members.invite(admin, email, Role.MEMBER)
                with pytest.raises(Unauthorised) as refusal:
                    await house.members.accept(code, "x", password)
                said.add((str(refusal.value), refusal.value.hint))
        assert len(said) == 1

    inside(database, work)


def test_who_may_make_users_invites_them_and_a_setting_lets_organisations_do_so(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        admin = await house.join(first, "admin@example.org", Role.ADMIN)
        for number, caller in enumerate((first, operator(first.organisation_id))):
            _, code = await house.members.invite(caller, f"new{number}@example.org", Role.MEMBER)
            made = await house.caller((await house.members.accept(code, "", SECRET)).token)
            me = await house.users.me(made)
            assert me is not None and me.name == f"new{number}"
        _, token = await house.tokens.create(first, "people", Scope)
        await house.users.update(operator(first.organisation_id), first.user_id or "", is_administrator=False)
        _, code = await house.members.invite(await house.caller(token), "new@example.org", Role.MEMBER)
        await refused(Unauthorised, house.members.accept(code, "x", SECRET))  # an administrator no more
        trusting = MembersService(
            database, house.passwords, house.sign_in, lambda: house.now, invitations_make_users=True
        )
        _, code = await trusting.invite(admin, "trusted@example.org", Role.MEMBER)
        assert (await trusting.accept(code, "", SECRET)).organisation_id == first.organisation_id

    inside(database, work)
