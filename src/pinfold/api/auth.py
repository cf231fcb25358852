"""Who calls: the bearer token of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pinfold.core.errors import Unauthorised
from pinfold.services.accounts import AccountsService, Caller

_scheme = HTTPBearer(auto_error=False, description="The token that `pinfold up` printed at its first start.")


async def authenticate(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
) -> Caller:
    """The caller.  Raises: Unauthorised."""
    if given is None:
        raise Unauthorised("this request needs a bearer token")
    accounts: AccountsService = request.app.state.services.accounts
    return await accounts.authenticate(given.credentials)


Authenticated = Annotated[Caller, Depends(authenticate)]
