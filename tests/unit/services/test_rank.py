"""Nobody acts on a person of a higher role, and no token gives what it lacks."""

from __future__ import annotations

import asyncio

from pinfold.core.errors import Forbidden, InvalidInput, RecordConflict, Unauthorised
from pinfold.db import Database
from pinfold.db.audit import Filter
from pinfold.db.paging import Wanted
from pinfold.services.accounts import AccountsService, Role, Scope, operator
from tests.support.people import SECRET, House, inside, refused


def test_an_admin_ends_no_owner_s_session_and_no_owner_s_token(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        owner = await house.join(first, "owner@example.org", Role.OWNER)
        admin = await house.join(first, "admin@example.org", Role.ADMIN)
        member = await house.join(first, "member@example.org", Role.MEMBER)
        record, token = await house.tokens.create(owner, "the owner's", [Scope.FILES_READ])
        _, own = await house.tokens.create(admin, "of the admin", [Scope.ORG_ADMIN])
        for caller in (admin, await house.caller(own)):
            for theirs in (owner.token_id, first.token_id, record.id):
                await refused(Forbidden, house.tokens.revoke(caller, theirs), "owner|server:admin")
        await house.caller(token)
        other, _ = await house.tokens.create(member, "the member's", [Scope.FILES_READ])
        await house.tokens.revoke(admin, other.id)
        await house.tokens.revoke(admin, member.token_id)
        await refused(Forbidden, house.tokens.revoke(owner, first.token_id), "server:admin")
        await house.tokens.revoke(first, record.id)

    inside(database, work)


def test_an_admin_takes_back_no_invitation_of_an_owner(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        admin = await house.join(first, "admin@example.org", Role.ADMIN)
        record, _ = await house.members.invite(first, "owner@example.org", Role.OWNER)
        await refused(Forbidden, house.members.take_back(admin, record.id), "owner")
        await house.members.take_back(first, record.id)

    inside(database, work)


def test_no_token_gives_a_role_that_may_do_more_than_itself(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        member = await house.join(first, "member@example.org", Role.MEMBER)
        assert member.user_id is not None
        _, token = await house.tokens.create(first, "people", [Scope.ORG_ADMIN, *Role.VIEWER.scopes])
        narrow = await house.caller(token)
        await refused(Forbidden, house.members.invite(narrow, "x@example.org", Role.ADMIN), "files:write")
        await refused(Forbidden, house.members.change_role(narrow, member.user_id, Role.ADMIN), "files:write")
        await house.members.invite(narrow, "x@example.org", Role.VIEWER)
        await house.members.change_role(narrow, member.user_id, Role.VIEWER)  # less is no gift
        admin = await house.join(first, "admin@example.org", Role.ADMIN)
        await house.members.change_role(admin, member.user_id, Role.ADMIN)

    inside(database, work)


# -- what a changed password and a disabled user end -----------------------------------------------------------------


def test_a_new_password_ends_other_sessions_and_tokens_unless_they_are_kept(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        ada = await house.join(first, "ada@example.org", Role.MEMBER)
        there = await house.organisations.create(first, "Other", None, "free")
        await house.members.add(operator(there.id), ada.user_id or "", Role.MEMBER)
        elsewhere = await house.caller((await house.sign_in.sign_in("ada@example.org", SECRET, "other")).token)
        tokens = [(await house.tokens.create(one, "x", [Scope.FILES_READ]))[1] for one in (ada, elsewhere)]
        second = "another long one"
        await house.users.update_me(ada, password=second, current_password=SECRET, keep_tokens=True)
        for token in tokens:
            await house.caller(token)
        await house.users.update_me(ada, password=SECRET, current_password=second)
        other_process = AccountsService(database, lambda: house.now)
        for token in tokens:
            for accounts in (house.accounts, other_process):
                await refused(Unauthorised, accounts.authenticate(token), "revoked")
        await other_process.close()
        assert (await house.users.me(ada)) is not None
        _, token = await house.tokens.create(ada, "x", [Scope.FILES_READ])
        await house.users.update(first, ada.user_id or "", password=second)
        await refused(Unauthorised, house.caller(token), "revoked")
        page = await house.audit.page(first, Wanted(50), Filter(action="user.updated"))
        assert [one.detail.get("tokens_revoked") for one in page.records] == [1, 2, None]

    inside(database, work)


def test_the_first_password_ends_no_token(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        _, token = await house.tokens.create(first, "x", [Scope.FILES_READ])
        await house.users.update_me(first, password=SECRET)
        await house.caller(token)

    inside(database, work)


def test_who_changes_the_password_says_which_one_it_was(database: Database) -> None:
    async def work(house: House) -> None:
        ada = await house.join(await house.owner(), "ada@example.org", Role.MEMBER)
        for _ in range(20):  # these are no guesses
            await refused(InvalidInput, house.users.update_me(ada, password="another long one"), "current_password")
        wrong = house.users.update_me(ada, password="another long one", current_password="wrong")
        await refused(Unauthorised, wrong, "current password")
        await house.users.update_me(ada, password="another long one", current_password=SECRET)

    inside(database, work)


def test_a_disabled_user_s_tokens_are_dead_on_every_process_and_stay_so(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        ada = await house.join(first, "ada@example.org", Role.ADMIN)
        made = await asyncio.gather(*(house.tokens.create(ada, str(n), [Scope.FILES_READ]) for n in range(2)))
        tokens = [token for _, token in made]
        other_process = AccountsService(database, lambda: house.now)
        for token in tokens:
            await other_process.authenticate(token)
        await house.users.update(first, ada.user_id or "", status="disabled")
        for token in tokens:
            await refused(Unauthorised, other_process.authenticate(token))
        await house.users.update(first, ada.user_id or "", status="active")
        for token in tokens:
            await refused(Unauthorised, other_process.authenticate(token), "revoked")
        await other_process.close()

    inside(database, work)


def test_the_operator_disables_whom_he_must(database: Database) -> None:
    async def work(house: House) -> None:
        first = await house.owner()
        there = await house.organisations.create(first, "Zoe Ltd", None, "free")
        _, code = await house.members.invite(operator(there.id), "zoe@example.org", Role.OWNER)
        zoe = await house.caller((await house.members.accept(code, "Zoe", SECRET)).token)
        await house.users.update(first, zoe.user_id or "", status="disabled")  # the last owner of hers
        await refused(Unauthorised, house.sign_in.check("zoe@example.org", SECRET))
        me = first.user_id or ""
        await refused(RecordConflict, house.users.update(first, me, status="disabled"), "last administrator")
        assert (await house.users.update(operator(there.id), me, status="disabled")).status == "disabled"

    inside(database, work)
