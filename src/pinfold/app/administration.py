"""The services for whoever runs commands on the server's own machine: on the database, without HTTP.

A server may run on the same data folder or not.  What protects these services are the rights of the folder, and of the
database; every change stands in the audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from pinfold.core.errors import DatabaseOutdated, RecordNotFound
from pinfold.db import Database, organisations
from pinfold.db.dialect import is_missing_file
from pinfold.db.paging import Wanted
from pinfold.services.accounts import Caller, operator
from pinfold.services.accounts.members import MembersService
from pinfold.services.accounts.organisations import OrganisationsService
from pinfold.services.accounts.passwords import Passwords
from pinfold.services.accounts.records import Listed, Organisation
from pinfold.services.accounts.sign_in import SignInService
from pinfold.services.accounts.tokens import TokensService
from pinfold.services.accounts.users import UsersService
from pinfold.services.audit.service import AuditService
from pinfold.services.pins.oversight import Oversight
from pinfold.settings import Settings

if TYPE_CHECKING:
    from pinfold.services.files import FilesService
    from pinfold.services.usage import UsageService

T = TypeVar("T")

_PAGE: Final = 100


class Administration:
    """Everything that commands of the administrator call; the database is open."""

    def __init__(self, database: Database, settings: Settings, stack: AsyncExitStack) -> None:
        passwords = Passwords()
        stack.push_async_callback(passwords.close)
        sign_in = SignInService(database, passwords)
        self._database = database
        self._settings = settings
        self._stack = stack
        self.organisations = OrganisationsService(database)
        self.users = UsersService(database, passwords, sign_in)
        self.members = MembersService(database, passwords, sign_in)
        self.tokens = TokensService(database)
        self.audit = AuditService(database)
        self.pins = Oversight(database)

    async def files(self) -> FilesService:
        """Files, for which the node is opened."""
        from pinfold.app.contents import open_files

        return await open_files(self._database, self._settings, self._stack)

    async def usage(self) -> UsageService:
        """Usage, for which the node is opened."""
        from pinfold.app.contents import open_usage

        return await open_usage(self._database, self._settings, self._stack)

    async def organisation(self, name: str | None) -> Organisation:
        """The organisation of that slug or id; without one, the only one there is.  Raises: RecordNotFound."""
        if name is not None:
            return await self.organisations.get(operator(""), name)
        found = await self.organisations.page(operator(""), Wanted(2))
        if not found.records:
            raise RecordNotFound(
                "there is no organisation yet", hint="`pinfold up` makes the first, or `pinfold org create NAME`."
            )
        if len(found.records) > 1:
            raise RecordNotFound("there are several organisations", hint="Name one by --org; `pinfold org list`.")
        return found.records[0]

    async def organisations_of(self, name: str | None) -> list[Organisation]:
        """The organisation of that slug or id; without one, all of them, newest first.  Raises: RecordNotFound."""
        if name is not None:
            return [await self.organisation(name)]
        anyone = operator("")
        return [one async for one in every(lambda page: self.organisations.page(anyone, page), lambda one: one.id)]

    async def caller(self, name: str | None) -> Caller:
        """Who acts for that organisation, with every right.  Raises: RecordNotFound."""
        return operator((await self.organisation(name)).id)

    async def somewhere(self) -> Caller:
        """Who acts for the whole server; what they do stands in the first organisation's log.

        Raises:  RecordNotFound, where there is none yet.
        """
        first = await self._database.everybody.read(organisations.first)
        return operator(first.id if first is not None else (await self.organisation(None)).id)


async def every(page: Callable[[Wanted], Awaitable[Listed[T]]], key: Callable[[T], str | int]) -> AsyncIterator[T]:
    """All records of a list, page after page."""
    after: str | int | None = None
    while True:
        found = await page(Wanted(_PAGE, after=after))
        for record in found.records:
            yield record
        if not found.has_more:
            return
        after = key(found.records[-1])


@asynccontextmanager
async def administer(settings: Settings) -> AsyncIterator[Administration]:
    """The services on the database that ``settings`` name.

    It is left as it is: an older schema is not upgraded beneath a server that may run.
    Raises:  DatabaseOutdated, where it is older or not there; StoreNewer, StoreUnreadable, InvalidSetting.
    """
    async with AsyncExitStack() as stack:
        database = await asyncio.to_thread(_open, settings.effective_database_url)
        stack.push_async_callback(asyncio.to_thread, database.close)
        yield Administration(database, settings, stack)


def _open(url: str) -> Database:
    if is_missing_file(url):
        raise DatabaseOutdated(
            "there is no platform on this data folder yet", hint="`pinfold up` or `pinfold db upgrade` makes it."
        )
    return Database(url, may_upgrade=False)
