"""Signing in, out and up, invitations accepted, and oneself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from pinfold.api.auth import Authenticated
from pinfold.api.envelope import Answer
from pinfold.api.errors import request_id, responses
from pinfold.api.limits import Anonymous, address_of
from pinfold.api.v1 import account_schema as schema
from pinfold.services.accounts.members import MembersService
from pinfold.services.accounts.sign_in import SignInService
from pinfold.services.accounts.users import UsersService
from pinfold.services.limits import LimitsService

router = APIRouter(prefix="/api/v1", tags=["people"])


def _refusals(*statuses: int, unauthorised: str, forbidden: str) -> dict[int | str, dict[str, Any]]:
    """The errors of an endpoint where 401 and 403 are not, or not only, about tokens."""
    listed = responses(*statuses)
    listed[401]["description"], listed[403]["description"] = unauthorised, forbidden
    return listed


@router.post(
    "/sessions",
    status_code=201,
    summary="Sign in",
    response_description="A session.",
    responses=_refusals(
        400,
        401,
        403,
        413,
        422,
        429,
        unauthorised="The e-mail address or the password is wrong, too many were tried, or the user is no member of "
        "the organisation that is named, or of any.",
        forbidden="The organisation is suspended.",
    ),
)
async def sign_in(request: Request, _limit: Anonymous, who: Annotated[schema.SignIn, Body()]) -> Answer[schema.Session]:
    """Signs somebody in for twelve hours.  The answer does not tell an unknown address from a wrong password."""
    service: SignInService = request.app.state.services.sign_in
    signed_in = await service.sign_in(
        who.email, who.password, who.organisation, address=address_of(request), request_id=request_id(request)
    )
    return Answer(success=True, data=schema.Session.of(signed_in))


@router.delete(
    "/sessions",
    summary="Sign out",
    response_description="The session is over.",
    responses=responses(401, 403, 409, 429),
)
async def sign_out(request: Request, caller: Authenticated) -> Answer[schema.Gone]:
    """Ends the session whose token is sent."""
    service: SignInService = request.app.state.services.sign_in
    await service.sign_out(caller)
    return Answer(success=True, data=schema.Gone(id=caller.token_id))


@router.post(
    "/sign-up",
    status_code=201,
    summary="Sign up",
    response_description="A session.",
    responses=responses(400, 403, 409, 413, 422, 429),
)
async def sign_up(request: Request, _limit: Anonymous, who: Annotated[schema.SignUp, Body()]) -> Answer[schema.Session]:
    """Makes a user and their own organisation on the plan `free`, where the server allows that: 403 where not."""
    service: SignInService = request.app.state.services.sign_in
    signed_in = await service.sign_up(
        who.email,
        who.name,
        who.password,
        who.organisation,
        address=address_of(request),
        request_id=request_id(request),
    )
    return Answer(success=True, data=schema.Session.of(signed_in))


@router.post(
    "/invitations/accept",
    status_code=201,
    summary="Accept an invitation",
    response_description="A session in the organisation.",
    responses=_refusals(
        400,
        401,
        403,
        409,
        413,
        422,
        429,
        unauthorised="The invitation is not known, was used or has expired; the password is not the invited user's; or "
        "there is no such user yet, and the invitation may make none.",
        forbidden="The organisation is suspended.",
    ),
)
async def accept_invitation(
    request: Request, _limit: Anonymous, answer: Annotated[schema.Acceptance, Body()]
) -> Answer[schema.Session]:
    """Makes the invited a member and signs them in.

    A user proves themselves by their password. Where the address is no user's yet, an invitation by the server's
    administrator makes one with this password; one by an organisation does so only where the setting `sign_up` is
    `invited` or `open`.
    """
    service: MembersService = request.app.state.services.members
    signed_in = await service.accept(
        answer.token, answer.name or "", answer.password, address=address_of(request), request_id=request_id(request)
    )
    return Answer(success=True, data=schema.Session.of(signed_in))


@router.get(
    "/me",
    summary="Who am I",
    response_description="The token's user, organisation, scopes and limits.",
    responses=responses(401, 403, 429),
)
async def who_am_i(request: Request, caller: Authenticated) -> Answer[schema.Myself]:
    """Who the token speaks for, what it may be used for now, and what still fits."""
    users: UsersService = request.app.state.services.users
    limits: LimitsService = request.app.state.services.limits
    user = await users.me(caller)
    myself = schema.Myself(
        token_id=caller.token_id,
        token_kind=caller.kind,
        expires_at=caller.expires_at,
        scopes=sorted(caller.scopes),
        organisation_id=caller.organisation_id,
        plan=caller.plan,
        role=caller.role,
        user=None if user is None else schema.User.of(user),
        rate_limits=schema.RateLimits.of(caller.rates),
        quotas=schema.Quotas.of(await limits.quota(caller.organisation_id)),
        room=schema.Quotas.of(await limits.room(caller.organisation_id)),
        gateway_url=request.app.state.gateway_url,
    )
    return Answer(success=True, data=myself)


@router.patch(
    "/users/me",
    summary="Change myself",
    response_description="The user as it is now.",
    responses=_refusals(
        400,
        401,
        403,
        413,
        422,
        429,
        unauthorised="The bearer token is missing or not known, or `current_password` is wrong.",
        forbidden="The token is neither a session nor the server's first.",
    ),
)
async def change_myself(
    request: Request, caller: Authenticated, change: Annotated[schema.OwnChange, Body()]
) -> Answer[schema.User]:
    """Changes the name or the password of a user who is signed in, or who holds the server's first token.

    A new password ends the user's other sessions, and their tokens in every organisation unless `keep_tokens` is true.
    """
    users: UsersService = request.app.state.services.users
    user = await users.update_me(
        caller,
        name=change.name,
        password=change.password,
        current_password=change.current_password,
        keep_tokens=change.keep_tokens,
    )
    return Answer(success=True, data=schema.User.of(user))
