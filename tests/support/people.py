"""Every service of accounts on one database and one clock, for tests of people and their rights."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from pinfold.core.errors import PinfoldError
from pinfold.db import Database
from pinfold.services.accounts import AccountsService, Caller, Role
from pinfold.services.accounts.members import MembersService
from pinfold.services.accounts.organisations import OrganisationsService
from pinfold.services.accounts.passwords import Passwords
from pinfold.services.accounts.projects import ProjectsService
from pinfold.services.accounts.sign_in import SignInService
from pinfold.services.accounts.tokens import TokensService
from pinfold.services.accounts.users import UsersService
from pinfold.services.audit import AuditService

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECRET = "correct horse battery"
MINUTE = timedelta(minutes=1)


@dataclass
class House:
    """Every service of accounts, on one database and one clock."""

    database: Database
    sign_up_is_open: bool = False
    now: datetime = START
    passwords: Passwords = field(default_factory=Passwords)

    def __post_init__(self) -> None:
        def clock() -> datetime:
            return self.now

        database = self.database
        self.accounts = AccountsService(database, clock)
        self.sign_in = SignInService(
            database, self.passwords, clock, sign_up_is_open=self.sign_up_is_open, refused_after_s=0
        )
        self.users = UsersService(database, self.passwords, self.sign_in, clock)
        self.members = MembersService(database, self.passwords, self.sign_in, clock)
        self.organisations = OrganisationsService(database, clock)
        self.projects = ProjectsService(database, clock)
        self.tokens = TokensService(database, clock)
        self.audit = AuditService(database)

    async def caller(self, token: str) -> Caller:
        """Who sends the token."""
        return await self.accounts.authenticate(token)

    async def owner(self) -> Caller:
        """Who holds the first token."""
        token = await self.accounts.make_owner_token()
        assert token is not None
        return await self.caller(token)

    async def join(self, owner: Caller, email: str, role: Role) -> Caller:
        """Somebody new in the owner's organisation, signed in."""
        _, code = await self.members.invite(owner, email, role)
        return await self.caller((await self.members.accept(code, email, SECRET)).token)


Work = Callable[[House], Awaitable[None]]


def inside(database: Database, work: Work, *, sign_up_is_open: bool = False) -> None:
    async def go() -> None:
        house = House(database, sign_up_is_open)
        try:
            await work(house)
        finally:
            await house.accounts.close()
            await house.passwords.close()

    asyncio.run(go())


async def refused(kind: type[PinfoldError], asked: Awaitable[object], match: str | None = None) -> None:
    with pytest.raises(kind, match=match):
        await asked
