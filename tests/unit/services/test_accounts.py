from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from pinfold.core.errors import (
    Forbidden,
    InvalidInput,
    RecordConflict,
    RecordNotFound,
    Unauthorised,
)
from pinfold.db import Database
from pinfold.db.audit import Filter
from pinfold.db.models import TokenRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts import AccountsService, Role, Scope, operator
from pinfold.services.accounts.members import INVITED_FOR
from pinfold.services.accounts.passwords import Passwords
from pinfold.services.accounts.records import Plan
from pinfold.services.accounts.sign_in import SESSION_LENGTH, SignInService
from tests.support.people import MINUTE, SECRET, START, House, inside, refused
from tests.support.tenants import make_organisation, make_token

# -- the first start -------------------------------------------------------------------------------------------------


def test_the_first_start_makes_one_administrator_and_one_token(database: Database) -> None:
    async def work(house: House) -> None:
        both = await asyncio.gather(*(House(database).accounts.make_owner_token() for _ in range(5)))
        (token,) = [one for one in both if one is not None]
        caller = await house.caller(token)
        assert caller.scopes == frozenset(Scope)
        assert (caller.role, caller.kind) == (Role.OWNER, "owner")
        me = await house.users.me(caller)
        assert me is not None and (me.email, me.is_administrator) == ("admin@localhost", True)
        assert (await house.organisations.mine(caller)).plan == "unlimited"
        assert await house.accounts.make_owner_token() is None

    inside(database, work)


def _old_owner(session: Session) -> str:
    token = make_token(session, make_organisation(session, "default"), {Scope.FILES_READ})
    session.flush()
    session.execute(update(TokenRow).values(kind="owner"))
    return token


def test_a_token_of_the_version_before_becomes_the_administrator_s(database: Database) -> None:
    async def work(house: House) -> None:
        token = await database.everybody.write(_old_owner)
        assert await house.accounts.make_owner_token() is None
        assert (await house.caller(token)).scopes == frozenset(Scope)

    inside(database, work)


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_is_never_given_what_its_maker_lacks(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        _, token = await house.tokens.create(owner, "admin", [Scope.ORG_ADMIN, Scope.FILES_READ])
        narrow = await house.caller(token)
        await refused(Forbidden, house.tokens.create(narrow, "x", [Scope.PINS_READ]), "pins:read")
        await refused(Forbidden, house.tokens.create(narrow, "x", [Scope.FILES_READ, Scope.SERVER_ADMIN]))
        _, token = await house.tokens.create(narrow, "x", [Scope.FILES_READ])
        reader = await house.caller(token)
        assert reader.scopes == {Scope.FILES_READ}
        await refused(Forbidden, house.tokens.create(reader, "x", [Scope.FILES_READ]), "org:admin")
        await refused(Forbidden, house.tokens.page(reader, Wanted(5)), "org:admin")
        await refused(InvalidInput, house.tokens.create(owner, "x", []))

    inside(database, work)


def test_a_limited_token_makes_none_that_outlives_it(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        end = START + MINUTE
        _, token = await house.tokens.create(owner, "short", [Scope.ORG_ADMIN], expires_at=end)
        short = await house.caller(token)
        await refused(Forbidden, house.tokens.create(short, "x", [Scope.ORG_ADMIN]), "longer")
        await refused(Forbidden, house.tokens.create(short, "x", [Scope.ORG_ADMIN], expires_at=end + MINUTE))
        await house.tokens.create(short, "x", [Scope.ORG_ADMIN], expires_at=end)
        _, token = await house.tokens.create(owner, "few", [Scope.ORG_ADMIN], uses=2)
        await refused(Forbidden, house.tokens.create(await house.caller(token), "x", [Scope.ORG_ADMIN]), "number")
        await refused(InvalidInput, house.tokens.create(owner, "x", [Scope.ORG_ADMIN], expires_at=START))

    inside(database, work)


def test_a_token_ends_when_it_expires_and_when_it_is_revoked_on_every_process(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        other_process = AccountsService(database, lambda: house.now)
        record, token = await house.tokens.create(owner, "x", [Scope.FILES_READ], expires_at=START + MINUTE)
        await other_process.authenticate(token)
        house.now = START + MINUTE
        await refused(Unauthorised, other_process.authenticate(token), "expired")
        house.now = START
        await house.tokens.revoke(owner, record.id)
        await refused(Unauthorised, other_process.authenticate(token), "revoked")
        await refused(RecordNotFound, house.tokens.revoke(owner, record.id))
        await refused(RecordNotFound, house.tokens.get(owner, record.id))
        await other_process.close()

    inside(database, work)


def test_what_another_process_changes_holds_for_the_very_next_request(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        ada = await house.join(owner, "ada@example.org", Role.ADMIN)
        elsewhere = Database(database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}")
        other = AccountsService(elsewhere, lambda: house.now)
        for number in range(5):
            record, token = await house.tokens.create(ada, str(number), [Scope.FILES_WRITE])
            for _ in range(3):
                assert (await other.authenticate(token)).scopes == {Scope.FILES_WRITE}
            await house.members.change_role(owner, ada.user_id or "", Role.VIEWER)
            assert (await other.authenticate(token)).scopes == frozenset()
            await house.members.change_role(owner, ada.user_id or "", Role.ADMIN)
            assert (await other.authenticate(token)).scopes == {Scope.FILES_WRITE}
            await house.tokens.revoke(owner, record.id)
            await refused(Unauthorised, other.authenticate(token), "revoked")
        await other.close()
        elsewhere.close()

    inside(database, work)


def test_uses_are_exact_however_many_ask_at_once(database: Database) -> None:
    async def work(house: House) -> None:
        _, token = await house.tokens.create(await house.owner(), "x", [Scope.FILES_READ], uses=7)
        both = [house.accounts, AccountsService(database, lambda: house.now)]

        async def use(number: int) -> bool:
            service = both[number % 2]
            try:
                await service.spend(await service.authenticate(token))
            except Unauthorised:
                return False
            return True

        assert sum(await asyncio.gather(*(use(number) for number in range(50)))) == 7
        await refused(Unauthorised, house.caller(token), "no use left")
        await both[1].close()

    inside(database, work)


def test_the_last_use_is_written_down_once_a_minute_and_at_the_end(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        record, token = await house.tokens.create(owner, "x", [Scope.FILES_READ])
        for offset in (0, 10, 59):
            house.now = START + timedelta(seconds=offset)
            await house.caller(token)
        await house.accounts.close()
        assert (await house.tokens.get(owner, record.id)).last_used_at == START
        house.now = START + 2 * MINUTE
        await house.caller(token)
        await house.accounts.close()
        assert (await house.tokens.get(owner, record.id)).last_used_at == START + 2 * MINUTE

    inside(database, work)


def test_only_the_hash_of_a_token_is_kept(database: Database) -> None:
    async def work(house: House) -> None:
        _, token = await house.tokens.create(await house.owner(), "x", [Scope.FILES_READ])
        with database.engine.connect() as connection:
            rows = [
                tuple(row)
                for table in ("tokens", "audit_log")
                for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
            ]
        assert len(rows) > 3
        assert token[8:] not in repr(rows)

    inside(database, work)


# -- passwords and sessions ------------------------------------------------------------------------------------------


def test_somebody_signs_in_works_and_signs_out(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        await house.users.update_me(owner, password=SECRET)
        session = await house.sign_in.sign_in(" Admin@LOCALHOST ", SECRET)
        caller = await house.caller(session.token)
        assert caller.kind == "session" and caller.scopes == frozenset(Scope)
        await house.sign_in.sign_out(caller)
        await refused(Unauthorised, house.caller(session.token), "revoked")
        await refused(RecordConflict, house.sign_in.sign_out(owner), "no session")
        again = await house.sign_in.sign_in("admin@localhost", SECRET, "default")
        house.now += SESSION_LENGTH
        await refused(Unauthorised, house.caller(again.token), "expired")
        await refused(Unauthorised, house.sign_in.sign_in("admin@localhost", SECRET, "elsewhere"), "no member")
        await house.users.create(owner, "ada@example.org", "Ada", SECRET)
        alone = house.sign_in.sign_in("ada@example.org", SECRET)
        await refused(Unauthorised, alone, "no member of any organisation")

    inside(database, work)


def test_sessions_that_ended_long_ago_are_forgotten_and_nothing_else(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        await house.join(owner, "ada@example.org", Role.MEMBER)
        _, token = await house.tokens.create(owner, "x", [Scope.FILES_READ], expires_at=START + MINUTE)
        house.now = START + timedelta(days=30)
        assert await house.accounts.prune_sessions() == 0
        house.now += SESSION_LENGTH + MINUTE
        assert await house.accounts.prune_sessions() == 1
        await refused(Unauthorised, house.caller(token), "expired")
        await house.caller((await house.sign_in.sign_in("ada@example.org", SECRET)).token)

    inside(database, work)


def test_a_refusal_does_not_tell_who_is_known(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        await house.users.create(owner, "no-password@example.org", "x", None)
        disabled = await house.users.create(owner, "disabled@example.org", "x", SECRET)
        await house.users.update(owner, disabled.id, status="disabled")
        said = set()
        for email in ("admin@localhost", "no-password@example.org", "disabled@example.org", "nobody@x.org", "\0@@"):
            with pytest.raises(Unauthorised) as refusal:
                await house.sign_in.check(email, SECRET)
            said.add((str(refusal.value), refusal.value.hint))
        assert len(said) == 1

    inside(database, work)


def test_refusals_come_at_one_moment_and_not_before(database: Database) -> None:
    async def go() -> list[float]:
        passwords = Passwords()
        service = SignInService(database, passwords, refused_after_s=0.4)
        loop, took = asyncio.get_running_loop(), []
        for email in ("nobody@example.org", "not an address"):
            began = loop.time()
            await refused(Unauthorised, service.check(email, SECRET))
            took.append(loop.time() - began)
        await passwords.close()
        return took

    assert min(asyncio.run(go())) >= 0.4


def test_a_password_is_changed_only_by_who_knows_it_and_ends_other_sessions(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        ada = await house.join(owner, "ada@example.org", Role.MEMBER)
        other = await house.sign_in.sign_in("ada@example.org", SECRET)
        await refused(Unauthorised, house.users.update_me(ada, password="another long one", current_password="wrong"))
        await refused(InvalidInput, house.users.update_me(ada, password="short", current_password=SECRET))
        await house.users.update_me(ada, name="Ada L.", password="another long one", current_password=SECRET)
        await refused(Unauthorised, house.caller(other.token), "revoked")
        await refused(Unauthorised, house.sign_in.check("ada@example.org", SECRET))
        assert (await house.sign_in.check("ada@example.org", "another long one")).name == "Ada L."
        _, token = await house.tokens.create(ada, "build", [Scope.FILES_READ])
        await refused(Forbidden, house.users.update_me(await house.caller(token), name="Eve"), "signed in")

    inside(database, work)


def test_a_password_may_be_written_with_either_form_of_a_letter(database: Database) -> None:
    async def go() -> tuple[bool, bool, bool]:
        passwords = Passwords()
        kept = await passwords.hash("caf\u00e9 caf\u00e9 caf\u00e9")
        said = (
            await passwords.matches(kept, "cafe\u0301 cafe\u0301 cafe\u0301"),
            await passwords.matches(kept, "cafe cafe cafe"),
            await passwords.matches("no hash at all", "x"),
        )
        await passwords.close()
        assert kept.startswith("$argon2id$")
        return said

    assert asyncio.run(go()) == (True, False, False)


# -- members and invitations -----------------------------------------------------------------------------------------


def test_an_invitation_lets_one_person_in_once(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        _, code = await house.members.invite(owner, "Ada@Example.org", Role.MEMBER)
        accepted = await asyncio.gather(
            *(house.members.accept(code, "Ada", SECRET) for _ in range(3)), return_exceptions=True
        )
        (session,) = [one for one in accepted if not isinstance(one, BaseException)]
        caller = await house.caller(session.token)
        assert (caller.role, caller.name) == (Role.MEMBER, "ada@example.org")
        await refused(Unauthorised, house.members.accept(code, "Ada", SECRET), "not known")
        await refused(RecordConflict, house.members.invite(owner, "ada@example.org", Role.VIEWER), "already")

    inside(database, work)


def test_an_invitation_ends_by_itself_and_when_it_is_taken_back(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        _, late = await house.members.invite(owner, "late@example.org", Role.MEMBER)
        record, taken = await house.members.invite(owner, "taken@example.org", Role.MEMBER)
        assert (await house.members.invitations(owner, Wanted(10))).total == 2
        await house.members.take_back(owner, record.id)
        await refused(Unauthorised, house.members.accept(taken, "x", SECRET))
        house.now += INVITED_FOR
        await refused(Unauthorised, house.members.accept(late, "x", SECRET))
        assert (await house.members.invitations(owner, Wanted(10))).total == 0

    inside(database, work)


def test_an_invited_user_who_is_there_already_proves_it(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        await house.join(owner, "ada@example.org", Role.MEMBER)
        there = await house.organisations.create(owner, "Other", None, "free")
        _, code = await house.members.invite(operator(there.id), "ada@example.org", Role.OWNER)
        await refused(Unauthorised, house.members.accept(code, "Eve", "another long one"))
        session = await house.members.accept(code, "ignored", SECRET)
        assert session.organisation_id == there.id
        assert (await house.sign_in.sign_in("ada@example.org", SECRET, "other")).organisation_id == there.id

    inside(database, work)


def test_a_demotion_narrows_tokens_at_once_and_a_promotion_does_not_widen_them(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        ada = await house.join(owner, "ada@example.org", Role.MEMBER)
        _, token = await house.tokens.create(ada, "x", [Scope.FILES_READ, Scope.FILES_WRITE])
        assert ada.user_id is not None
        await house.members.change_role(owner, ada.user_id, Role.VIEWER)
        assert (await house.caller(token)).scopes == {Scope.FILES_READ}
        await house.members.change_role(owner, ada.user_id, Role.ADMIN)
        assert (await house.caller(token)).scopes == {Scope.FILES_READ, Scope.FILES_WRITE}
        await house.members.remove(owner, ada.user_id)
        await refused(Unauthorised, house.caller(token))

    inside(database, work)


def test_the_last_owner_stays_and_only_owners_make_owners(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        admin = await house.join(owner, "admin@example.org", Role.ADMIN)
        assert owner.user_id is not None and admin.user_id is not None
        await refused(RecordConflict, house.members.change_role(owner, owner.user_id, Role.MEMBER), "last owner")
        await refused(RecordConflict, house.members.remove(owner, owner.user_id), "last owner")
        await refused(Forbidden, house.members.change_role(admin, admin.user_id, Role.OWNER), "owner")
        await refused(Forbidden, house.members.remove(admin, owner.user_id), "owner")
        await refused(Forbidden, house.members.invite(admin, "x@example.org", Role.OWNER), "owner")
        await house.members.change_role(owner, admin.user_id, Role.OWNER)
        await house.members.change_role(owner, owner.user_id, Role.MEMBER)
        second = await house.caller((await house.sign_in.sign_in("admin@example.org", SECRET)).token)
        await refused(RecordConflict, house.members.remove(second, admin.user_id), "last owner")

    inside(database, work)


def test_two_owners_cannot_remove_each_other_at_once(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        other = await house.join(owner, "other@example.org", Role.OWNER)
        results = await asyncio.gather(
            house.members.remove(owner, other.user_id or ""),
            house.members.remove(other, owner.user_id or ""),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in results) == ["NoneType", "RecordConflict"]

    inside(database, work)


# -- the server's administrator --------------------------------------------------------------------------------------


def test_a_suspended_organisation_and_a_disabled_user_are_refused_at_once(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        ada = await house.join(owner, "ada@example.org", Role.MEMBER)
        _, token = await house.tokens.create(ada, "x", [Scope.FILES_READ])
        await house.users.update(owner, ada.user_id or "", status="disabled")
        await refused(Unauthorised, house.caller(token))
        await refused(Unauthorised, house.sign_in.check("ada@example.org", SECRET))
        await house.users.update(owner, ada.user_id or "", status="active")
        ada = await house.caller((await house.sign_in.sign_in("ada@example.org", SECRET)).token)
        _, token = await house.tokens.create(ada, "x", [Scope.FILES_READ])
        suspend = {"status": "suspended"}
        await refused(RecordConflict, house.organisations.update(owner, owner.organisation_id, suspend), "your own")
        await house.organisations.update(operator(owner.organisation_id), owner.organisation_id, suspend)
        await refused(Forbidden, house.caller(token), "suspended")
        await refused(Forbidden, house.sign_in.sign_in("ada@example.org", SECRET), "suspended")

    inside(database, work)


def test_the_last_administrator_cannot_be_disabled(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        me = owner.user_id or ""
        await refused(RecordConflict, house.users.update(owner, me, is_administrator=False), "last administrator")
        await refused(RecordConflict, house.users.update(owner, me, status="disabled"), "last administrator")
        other = await house.users.create(owner, "other@example.org", "x", None)
        await house.users.update(owner, other.id, is_administrator=True)
        await house.users.update(owner, me, is_administrator=False)
        caller = await house.caller((await house.tokens.create(operator(owner.organisation_id), "x", Scope))[1])
        assert Scope.SERVER_ADMIN in caller.scopes  # of the machine's own operator, and nobody's

    inside(database, work)


def test_only_the_administrator_reaches_other_organisations(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        admin = await house.join(owner, "admin@example.org", Role.OWNER)
        for asked in (
            house.organisations.page(admin, Wanted(1)),
            house.organisations.create(admin, "x", None, "free"),
            house.organisations.update(admin, owner.organisation_id, {"plan": "free"}),
            house.organisations.plans(admin),
            house.organisations.put_plan(admin, Plan("free")),
            house.users.page(admin, Wanted(1)),
            house.users.update(admin, owner.user_id or "", status="disabled"),
            house.members.add(admin, owner.user_id or "", Role.OWNER),
        ):
            await refused(Forbidden, asked, "server:admin")

    inside(database, work)


def test_organisations_are_made_changed_and_listed_in_pages(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        made = [await house.organisations.create(owner, f"Büro {number}", None, "free") for number in range(3)]
        assert made[0].slug == "buro-0"
        await refused(RecordConflict, house.organisations.create(owner, "x", "buro-0", "free"), "buro-0")
        await refused(RecordNotFound, house.organisations.create(owner, "x", None, "golden"), "golden")
        await refused(InvalidInput, house.organisations.create(owner, "x", "-x", "free"), "slug")
        same = await house.organisations.create(owner, "Büro 0", None, "free")
        assert same.slug.startswith("buro-0-")
        seen: list[str] = []
        after: str | None = None
        while True:
            page = await house.organisations.page(owner, Wanted(2, after=after))
            seen += [one.id for one in page.records]
            if not page.has_more:
                break
            after = seen[-1]
        assert sorted(seen, reverse=True) == seen and len(seen) == page.total == 5
        changed = await house.organisations.update(owner, made[0].id, {"quota_bytes": 5, "plan": "unlimited"})
        assert (changed.quota_bytes, changed.plan) == (5, "unlimited")
        await refused(InvalidInput, house.organisations.update(owner, made[0].id, {"slug": "x"}))
        plan = await house.organisations.put_plan(owner, Plan("gold", uploads_per_window=5))
        assert plan in await house.organisations.plans(owner)

    inside(database, work)


def test_sign_up_is_closed_unless_it_is_opened(database: Database) -> None:
    async def closed(house: House) -> None:
        await refused(Forbidden, house.sign_in.sign_up("a@example.org", "A", SECRET, "A"), "closed")

    async def opened(house: House) -> None:
        session = await house.sign_in.sign_up("a@example.org", "A", SECRET, "A's place")
        caller = await house.caller(session.token)
        assert (caller.plan, caller.role) == ("free", Role.OWNER)
        assert Scope.SERVER_ADMIN not in caller.scopes
        assert (caller.rates.uploads, caller.rates.requests, caller.rates.window_s) == (10, 100, 900)
        await refused(RecordConflict, house.sign_in.sign_up("A@example.org", "A", SECRET, "B"), "already")

    inside(database, closed)
    inside(database, opened, sign_up_is_open=True)


# -- projects --------------------------------------------------------------------------------------------------------


def test_projects_have_one_name_each_and_a_team_of_members(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        ada = await house.join(owner, "ada@example.org", Role.MEMBER)
        made = await house.projects.create(owner, {"name": "website", "team": [ada.user_id]})
        assert (made.status, made.team) == ("active", [ada.user_id])
        await refused(RecordConflict, house.projects.create(owner, {"name": "website"}), "already")
        await refused(InvalidInput, house.projects.create(owner, {"name": "x", "team": ["nobody"]}), "no member")
        await house.projects.update(owner, made.id, {"status": "archived"})
        assert (await house.projects.page(owner, Wanted(5), "archived")).total == 1
        assert (await house.projects.page(owner, Wanted(5), "active")).total == 0
        await refused(Forbidden, house.projects.delete(ada, made.id))
        await house.projects.delete(owner, made.id)
        await refused(RecordNotFound, house.projects.get(owner, made.id))

    inside(database, work)


def test_every_change_stands_in_the_log_with_who_did_it(database: Database) -> None:
    async def work(house: House) -> None:
        owner = await house.owner()
        ada = await house.join(owner, "ada@example.org", Role.ADMIN)
        await house.tokens.create(ada, "x", [Scope.FILES_READ])
        await house.projects.create(ada, {"name": "p"})
        page = await house.audit.page(owner, Wanted(50), Filter())
        said = [(one.action, one.actor_name) for one in reversed(page.records)]
        assert said == [
            ("user.created", "pinfold"),
            ("token.created", "pinfold"),
            ("invitation.created", "admin@localhost"),
            ("invitation.accepted", "ada@example.org"),
            ("session.created", "ada@example.org"),
            ("token.created", "ada@example.org"),
            ("project.created", "ada@example.org"),
        ]
        assert (await house.audit.verify(owner.organisation_id)).broken_at is None

    inside(database, work)
