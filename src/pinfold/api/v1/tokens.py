"""Tokens: make, list, look at, revoke."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Request

from pinfold.api.auth import OrganisationAdminOrSelf
from pinfold.api.envelope import Answer, ListAnswer
from pinfold.api.errors import responses
from pinfold.api.v1 import account_schema as schema
from pinfold.api.v1.listing import Cursor, Limit, PageNumber, answer_of, wanted_by_id
from pinfold.services.accounts.tokens import TokensService

router = APIRouter(prefix="/api/v1/tokens", tags=["people"])

TokenId = Annotated[UUID, Path(description="The token's id.", examples=[schema.ID])]


@router.post(
    "",
    status_code=201,
    summary="Make a token",
    response_description="The token, shown this once.",
    responses=responses(400, 401, 403, 413, 422, 429),
)
async def create_token(
    request: Request, caller: OrganisationAdminOrSelf, wish: Annotated[schema.TokenWish, Body()]
) -> Answer[schema.NewToken]:
    """Makes a token with no more rights than its maker has; their role bounds it later as well."""
    tokens: TokensService = request.app.state.services.tokens
    record, token = await tokens.create(caller, wish.name, wish.scopes, expires_at=wish.expires_at, uses=wish.uses)
    return Answer(success=True, data=schema.NewToken(**schema.Token.of(record).model_dump(), token=token))


@router.get(
    "",
    summary="List tokens",
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_tokens(
    request: Request, caller: OrganisationAdminOrSelf, page: PageNumber = 1, limit: Limit = 20, cursor: Cursor = None
) -> ListAnswer[schema.Token]:
    """Tokens that are not revoked, newest first: with `org:admin` the organisation's, signed in one's own."""
    tokens: TokensService = request.app.state.services.tokens
    wanted = wanted_by_id(page, limit, cursor)
    return answer_of(await tokens.page(caller, wanted), schema.Token.of, wanted, lambda one: one.id)


@router.get(
    "/{id}",
    summary="Look at a token",
    response_description="The token, without itself.",
    responses=responses(401, 403, 404, 422, 429),
)
async def get_token(request: Request, caller: OrganisationAdminOrSelf, id: TokenId) -> Answer[schema.Token]:
    """One token that is not revoked."""
    tokens: TokensService = request.app.state.services.tokens
    return Answer(success=True, data=schema.Token.of(await tokens.get(caller, str(id))))


@router.delete(
    "/{id}",
    summary="Revoke a token",
    response_description="Nobody can use it any more.",
    responses=responses(401, 403, 404, 422, 429),
)
async def revoke_token(request: Request, caller: OrganisationAdminOrSelf, id: TokenId) -> Answer[schema.Gone]:
    """Ends a token at once, everywhere."""
    tokens: TokensService = request.app.state.services.tokens
    await tokens.revoke(caller, str(id))
    return Answer(success=True, data=schema.Gone(id=str(id)))
