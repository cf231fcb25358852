"""What the administrator of the server does: organisations, users and plans of all."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request

from pinfold.api.auth import ServerAdmin
from pinfold.api.envelope import Answer, ListAnswer
from pinfold.api.errors import responses
from pinfold.api.v1 import account_schema as schema
from pinfold.api.v1.listing import Cursor, Limit, PageNumber, answer_of, wanted_by_id
from pinfold.services.accounts import records
from pinfold.services.accounts.members import MembersService
from pinfold.services.accounts.organisations import OrganisationsService
from pinfold.services.accounts.users import UsersService

router = APIRouter(prefix="/api/v1/admin", tags=["administration"])

OrganisationId = Annotated[UUID, Path(description="The organisation's id.", examples=[schema.ID])]
UserId = Annotated[UUID, Path(description="The user's id.", examples=[schema.ID])]
PlanName = Annotated[
    str, Path(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="The plan.", examples=["free"])
]


@router.post(
    "/organisations",
    status_code=201,
    summary="Make an organisation",
    response_description="The organisation, with nobody in it.",
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
)
async def create_organisation(
    request: Request, caller: ServerAdmin, wish: Annotated[schema.OrganisationWish, Body()]
) -> Answer[schema.Organisation]:
    """Makes an organisation; invite its owner next."""
    organisations: OrganisationsService = request.app.state.services.organisations
    record = await organisations.create(caller, wish.name, wish.slug, wish.plan)
    return Answer(success=True, data=schema.Organisation.of(record))


@router.get(
    "/organisations",
    summary="List organisations",
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_organisations(
    request: Request,
    caller: ServerAdmin,
    status: Annotated[schema.OrganisationStatus | None, Query(description="Only those that stand so.")] = None,
    page: PageNumber = 1,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ListAnswer[schema.Organisation]:
    """All organisations, newest first."""
    organisations: OrganisationsService = request.app.state.services.organisations
    wanted = wanted_by_id(page, limit, cursor)
    found = await organisations.page(caller, wanted, status)
    return answer_of(found, schema.Organisation.of, wanted, lambda one: one.id)


@router.get(
    "/organisations/{id}",
    summary="Look at an organisation",
    response_description="The organisation.",
    responses=responses(401, 403, 404, 422, 429),
)
async def get_any_organisation(
    request: Request, caller: ServerAdmin, id: OrganisationId
) -> Answer[schema.Organisation]:
    """One organisation."""
    organisations: OrganisationsService = request.app.state.services.organisations
    return Answer(success=True, data=schema.Organisation.of(await organisations.get(caller, str(id))))


@router.patch(
    "/organisations/{id}",
    summary="Change an organisation",
    response_description="The organisation as it is now.",
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
)
async def change_organisation(
    request: Request,
    caller: ServerAdmin,
    id: OrganisationId,
    change: Annotated[schema.OrganisationChange, Body()],
) -> Answer[schema.Organisation]:
    """Changes name, plan, quotas or status.  A suspended organisation is refused everywhere at once."""
    organisations: OrganisationsService = request.app.state.services.organisations
    sent = change.model_dump(exclude_unset=True)
    values = {name: value for name, value in sent.items() if value is not None or name.startswith("quota_")}
    return Answer(success=True, data=schema.Organisation.of(await organisations.update(caller, str(id), values)))


@router.post(
    "/organisations/{id}/invitations",
    status_code=201,
    summary="Invite somebody into an organisation",
    response_description="The invitation and its token, shown this once.",
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
)
async def invite_into(
    request: Request, caller: ServerAdmin, id: OrganisationId, wish: Annotated[schema.InvitationWish, Body()]
) -> Answer[schema.NewInvitation]:
    """Makes an invitation into any organisation, as its first owner needs."""
    organisations: OrganisationsService = request.app.state.services.organisations
    members: MembersService = request.app.state.services.members
    there = await organisations.get(caller, str(id))
    record, token = await members.invite(replace(caller, organisation_id=there.id), wish.email, wish.role)
    return Answer(success=True, data=schema.NewInvitation(**schema.Invitation.of(record).model_dump(), token=token))


@router.get(
    "/users",
    summary="List users",
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_users(
    request: Request, caller: ServerAdmin, page: PageNumber = 1, limit: Limit = 20, cursor: Cursor = None
) -> ListAnswer[schema.User]:
    """All users, newest first."""
    users: UsersService = request.app.state.services.users
    wanted = wanted_by_id(page, limit, cursor)
    return answer_of(await users.page(caller, wanted), schema.User.of, wanted, lambda one: one.id)


@router.post(
    "/users",
    status_code=201,
    summary="Make a user",
    response_description="The user.",
    responses=responses(400, 401, 403, 409, 413, 422, 429),
)
async def create_user(
    request: Request, caller: ServerAdmin, wish: Annotated[schema.UserWish, Body()]
) -> Answer[schema.User]:
    """Makes a user who is a member of nothing yet."""
    users: UsersService = request.app.state.services.users
    return Answer(success=True, data=schema.User.of(await users.create(caller, wish.email, wish.name, wish.password)))


@router.get(
    "/users/{id}",
    summary="Look at a user",
    response_description="The user.",
    responses=responses(401, 403, 404, 422, 429),
)
async def get_user(request: Request, caller: ServerAdmin, id: UserId) -> Answer[schema.User]:
    """One user."""
    users: UsersService = request.app.state.services.users
    return Answer(success=True, data=schema.User.of(await users.get(caller, str(id))))


@router.patch(
    "/users/{id}",
    summary="Change a user",
    response_description="The user as it is now.",
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
)
async def change_user(
    request: Request, caller: ServerAdmin, id: UserId, change: Annotated[schema.UserChange, Body()]
) -> Answer[schema.User]:
    """Disables a user or not, makes an administrator or not, sets a password, or unlocks."""
    users: UsersService = request.app.state.services.users
    record = await users.update(
        caller,
        str(id),
        status=change.status,
        is_administrator=change.is_administrator,
        password=change.password,
        unlock=change.unlock,
    )
    return Answer(success=True, data=schema.User.of(record))


@router.get("/plans", summary="List plans", response_description="All of them.", responses=responses(401, 403, 429))
async def list_plans(request: Request, caller: ServerAdmin) -> Answer[list[schema.Plan]]:
    """All plans, by name."""
    organisations: OrganisationsService = request.app.state.services.organisations
    return Answer(success=True, data=[schema.Plan.model_validate(one) for one in await organisations.plans(caller)])


@router.put(
    "/plans/{name}",
    summary="Make or change a plan",
    response_description="The plan.",
    responses=responses(400, 401, 403, 413, 422, 429),
)
async def put_plan(
    request: Request, caller: ServerAdmin, name: PlanName, wish: Annotated[schema.PlanWish, Body()]
) -> Answer[schema.Plan]:
    """Makes a plan, or changes one for all its organisations from now on."""
    organisations: OrganisationsService = request.app.state.services.organisations
    plan = await organisations.put_plan(caller, records.Plan(name=name, **wish.model_dump()))
    return Answer(success=True, data=schema.Plan.model_validate(plan))
