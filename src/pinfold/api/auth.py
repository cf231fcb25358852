"""Who calls, and with what right: the bearer token of a request."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pinfold.api.limits import address_of, limit_address, limit_caller
from pinfold.core.errors import Forbidden, Unauthorised
from pinfold.services.accounts import AccountsService, Caller, Scope
from pinfold.services.usage import RequestMeter

scheme = HTTPBearer(auto_error=False, description="A token: `pf_…`. `pinfold up` prints the first one.")


async def authenticate(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)]
) -> Caller:
    """The caller, counted against the limits of their organisation, once a request however often it is asked.

    Bad tokens, and those of suspended organisations, are counted against the limit of their address.
    Raises:  Unauthorised, Forbidden, TooManyRequests.
    """
    state = request.scope["state"]
    known: Caller | None = state.get("caller")
    if known is not None:
        return known
    accounts: AccountsService = request.app.state.services.accounts
    try:
        if given is None:
            raise Unauthorised("this request needs a bearer token")
        caller = await accounts.authenticate(
            given.credentials, address=address_of(request), request_id=state["request_id"]
        )
    except (Unauthorised, Forbidden):
        await limit_address(request)
        raise
    state["organisation_id"] = caller.organisation_id
    requests: RequestMeter = request.app.state.services.requests
    requests.count(caller.organisation_id)  # as it begins: a hundred at once must not all be within the day's quota
    await limit_caller(request, caller)
    await accounts.spend(caller)
    state["caller"] = caller
    return caller


async def confirm(request: Request, scope: Scope) -> None:
    """Make sure, before what came in a long request is recorded, that its token still has ``scope``.

    Raises:  Unauthorised, Forbidden.
    """
    accounts: AccountsService = request.app.state.services.accounts
    given = await scheme(request)
    if given is not None:
        await accounts.confirm(given.credentials, scope)


Authenticated = Annotated[Caller, Depends(authenticate)]
"""Anybody with a token that is good."""


class Needs:
    """A dependency that gives the caller, who has ``scope``."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, caller: Authenticated) -> Caller:
        """The caller.  Raises: Forbidden."""
        caller.require(self.scope)
        return caller


class NeedsUnlessSignedIn:
    """A dependency that gives the caller, who has ``scope`` or is signed in: then it is about what is their own."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, caller: Authenticated) -> Caller:
        """The caller.  Raises: Forbidden."""
        if not caller.is_signed_in:
            caller.require(self.scope)
        return caller


Rule = Needs | NeedsUnlessSignedIn
RULES: Final = (Needs, NeedsUnlessSignedIn)
"""All that an endpoint may ask of its caller, beside a token that is good."""


def needs(scope: Scope) -> Needs:
    """What an endpoint open to tokens with ``scope`` takes: ``Annotated[Caller, Depends(needs(Scope.FILES_READ))]``."""
    return Needs(scope)


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
OrganisationAdminOrSelf = Annotated[Caller, Depends(NeedsUnlessSignedIn(Scope.ORG_ADMIN))]
ServerAdmin = Annotated[Caller, Depends(needs(Scope.SERVER_ADMIN))]
