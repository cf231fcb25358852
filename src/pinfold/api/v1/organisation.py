"""One's own organisation: its name, members and invitations."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Request

from pinfold.api.auth import OrganisationAdmin, OrganisationReader
from pinfold.api.envelope import Answer, ListAnswer
from pinfold.api.errors import responses
from pinfold.api.v1 import account_schema as schema
from pinfold.api.v1.listing import Cursor, Limit, PageNumber, answer_of, wanted_by_id
from pinfold.services.accounts.members import MembersService
from pinfold.services.accounts.organisations import OrganisationsService

router = APIRouter(prefix="/api/v1/organisation", tags=["organisation"])

UserId = Annotated[UUID, Path(description="The member's user id.", examples=[schema.ID])]
InvitationId = Annotated[UUID, Path(description="The invitation's id.", examples=[schema.ID])]


@router.get("", summary="Look at my organisation", response_description="It.", responses=responses(401, 403, 429))
async def get_organisation(request: Request, caller: OrganisationReader) -> Answer[schema.Organisation]:
    """The organisation that the token works in."""
    organisations: OrganisationsService = request.app.state.services.organisations
    return Answer(success=True, data=schema.Organisation.of(await organisations.mine(caller)))


@router.patch(
    "",
    summary="Rename my organisation",
    response_description="It, as it is now.",
    responses=responses(400, 401, 403, 413, 422, 429),
)
async def rename_organisation(
    request: Request, caller: OrganisationAdmin, change: Annotated[schema.Rename, Body()]
) -> Answer[schema.Organisation]:
    """Gives the organisation another name; its slug stays."""
    organisations: OrganisationsService = request.app.state.services.organisations
    return Answer(success=True, data=schema.Organisation.of(await organisations.rename(caller, change.name)))


@router.get(
    "/members",
    summary="List members",
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_members(
    request: Request, caller: OrganisationReader, page: PageNumber = 1, limit: Limit = 20, cursor: Cursor = None
) -> ListAnswer[schema.Member]:
    """Who is in the organisation, and as what."""
    members: MembersService = request.app.state.services.members
    wanted = wanted_by_id(page, limit, cursor)
    return answer_of(await members.page(caller, wanted), schema.Member.of, wanted, lambda one: one.user_id)


@router.patch(
    "/members/{id}",
    summary="Change a member's role",
    response_description="The member as it is now.",
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
)
async def change_member(
    request: Request, caller: OrganisationAdmin, id: UserId, change: Annotated[schema.RoleChange, Body()]
) -> Answer[schema.Member]:
    """Gives a member another role, which bounds their tokens at once.  Only owners make and unmake owners."""
    members: MembersService = request.app.state.services.members
    return Answer(success=True, data=schema.Member.of(await members.change_role(caller, str(id), change.role)))


@router.delete(
    "/members/{id}",
    summary="Remove a member",
    response_description="They are no member any more.",
    responses=responses(401, 403, 404, 409, 422, 429),
)
async def remove_member(request: Request, caller: OrganisationAdmin, id: UserId) -> Answer[schema.Gone]:
    """Removes a member; their tokens of this organisation end at once.  The last owner cannot be removed."""
    members: MembersService = request.app.state.services.members
    await members.remove(caller, str(id))
    return Answer(success=True, data=schema.Gone(id=str(id)))


@router.post(
    "/invitations",
    status_code=201,
    summary="Invite somebody",
    response_description="The invitation and its token, shown this once.",
    responses=responses(400, 401, 403, 409, 413, 422, 429),
)
async def invite(
    request: Request, caller: OrganisationAdmin, wish: Annotated[schema.InvitationWish, Body()]
) -> Answer[schema.NewInvitation]:
    """Makes an invitation for seven days.  Nothing is sent: hand its token to whom it is for.

    It is for a user of this server, who accepts it by their password. Only with `server:admin`, or where the setting
    `sign_up` is `invited` or `open`, it makes a user as well.
    """
    members: MembersService = request.app.state.services.members
    record, token = await members.invite(caller, wish.email, wish.role)
    return Answer(success=True, data=schema.NewInvitation(**schema.Invitation.of(record).model_dump(), token=token))


@router.get(
    "/invitations",
    summary="List invitations",
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_invitations(
    request: Request, caller: OrganisationAdmin, page: PageNumber = 1, limit: Limit = 20, cursor: Cursor = None
) -> ListAnswer[schema.Invitation]:
    """Invitations that can be accepted still, newest first."""
    members: MembersService = request.app.state.services.members
    wanted = wanted_by_id(page, limit, cursor)
    found = await members.invitations(caller, wanted)
    return answer_of(found, schema.Invitation.of, wanted, lambda one: one.id)


@router.delete(
    "/invitations/{id}",
    summary="Take an invitation back",
    response_description="It cannot be accepted any more.",
    responses=responses(401, 403, 404, 422, 429),
)
async def take_invitation_back(request: Request, caller: OrganisationAdmin, id: InvitationId) -> Answer[schema.Gone]:
    """Ends an invitation."""
    members: MembersService = request.app.state.services.members
    await members.take_back(caller, str(id))
    return Answer(success=True, data=schema.Gone(id=str(id)))
