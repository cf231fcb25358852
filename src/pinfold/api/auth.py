"""Who calls, and with what right: the bearer token of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pinfold.core.errors import Unauthorised
from pinfold.services.accounts import AccountsService, Caller, Scope

scheme = HTTPBearer(auto_error=False, description="A token: `pf_…`. `pinfold up` prints the first one.")


async def authenticate(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)]
) -> Caller:
    """The caller.  Raises: Unauthorised."""
    if given is None:
        raise Unauthorised("this request needs a bearer token")
    accounts: AccountsService = request.app.state.services.accounts
    caller = await accounts.authenticate(given.credentials, address=request.client.host if request.client else "")
    request.state.organisation_id = caller.organisation_id  # the outermost layer counts and logs whose request it was
    return caller


Authenticated = Annotated[Caller, Depends(authenticate)]
"""Anybody with a token that is good."""


def needs(scope: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that gives a caller who has ``scope``: ``Annotated[Caller, Depends(needs(Scope.FILES_READ))]``."""

    async def require(caller: Authenticated) -> Caller:
        caller.require(scope)
        return caller

    return require


FilesReader = Annotated[Caller, Depends(needs(Scope.FILES_READ))]
FilesWriter = Annotated[Caller, Depends(needs(Scope.FILES_WRITE))]
PinsReader = Annotated[Caller, Depends(needs(Scope.PINS_READ))]
PinsWriter = Annotated[Caller, Depends(needs(Scope.PINS_WRITE))]
WebhooksReader = Annotated[Caller, Depends(needs(Scope.WEBHOOKS_READ))]
WebhooksWriter = Annotated[Caller, Depends(needs(Scope.WEBHOOKS_WRITE))]
UsageReader = Annotated[Caller, Depends(needs(Scope.USAGE_READ))]
AuditReader = Annotated[Caller, Depends(needs(Scope.AUDIT_READ))]
OrganisationReader = Annotated[Caller, Depends(needs(Scope.ORG_READ))]
OrganisationAdmin = Annotated[Caller, Depends(needs(Scope.ORG_ADMIN))]
ServerAdmin = Annotated[Caller, Depends(needs(Scope.SERVER_ADMIN))]
