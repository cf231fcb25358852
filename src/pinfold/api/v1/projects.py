"""Projects of an organisation."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request

from pinfold.api.auth import OrganisationAdmin, OrganisationReader
from pinfold.api.envelope import Answer, ListAnswer
from pinfold.api.errors import responses
from pinfold.api.v1 import account_schema as schema
from pinfold.api.v1.listing import Cursor, Limit, PageNumber, answer_of, wanted_by_id
from pinfold.services.accounts.projects import ProjectsService

router = APIRouter(prefix="/api/v1/projects", tags=["organisation"])

ProjectId = Annotated[UUID, Path(description="The project's id.", examples=[schema.ID])]


@router.post(
    "",
    status_code=201,
    summary="Make a project",
    response_description="The project.",
    responses=responses(400, 401, 403, 409, 413, 422, 429),
)
async def create_project(
    request: Request, caller: OrganisationAdmin, wish: Annotated[schema.ProjectWish, Body()]
) -> Answer[schema.Project]:
    """Makes a project of the organisation; its team are members."""
    projects: ProjectsService = request.app.state.services.projects
    return Answer(success=True, data=schema.Project.of(await projects.create(caller, wish.model_dump())))


@router.get(
    "",
    summary="List projects",
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_projects(
    request: Request,
    caller: OrganisationReader,
    status: Annotated[schema.ProjectStatus | None, Query(description="Only those that stand so.")] = None,
    page: PageNumber = 1,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ListAnswer[schema.Project]:
    """Projects, newest first."""
    projects: ProjectsService = request.app.state.services.projects
    wanted = wanted_by_id(page, limit, cursor)
    return answer_of(await projects.page(caller, wanted, status), schema.Project.of, wanted, lambda one: one.id)


@router.get(
    "/{id}",
    summary="Look at a project",
    response_description="The project.",
    responses=responses(401, 403, 404, 422, 429),
)
async def get_project(request: Request, caller: OrganisationReader, id: ProjectId) -> Answer[schema.Project]:
    """One project."""
    projects: ProjectsService = request.app.state.services.projects
    return Answer(success=True, data=schema.Project.of(await projects.get(caller, str(id))))


@router.patch(
    "/{id}",
    summary="Change a project",
    response_description="The project as it is now.",
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
)
async def change_project(
    request: Request, caller: OrganisationAdmin, id: ProjectId, change: Annotated[schema.ProjectChange, Body()]
) -> Answer[schema.Project]:
    """Changes what is sent of a project, and nothing else."""
    projects: ProjectsService = request.app.state.services.projects
    sent = change.model_dump(exclude_unset=True)
    values = {name: value for name, value in sent.items() if value is not None or name == "starts_on"}
    return Answer(success=True, data=schema.Project.of(await projects.update(caller, str(id), values)))


@router.delete(
    "/{id}",
    summary="Delete a project",
    response_description="It is gone.",
    responses=responses(401, 403, 404, 422, 429),
)
async def delete_project(request: Request, caller: OrganisationAdmin, id: ProjectId) -> Answer[schema.Gone]:
    """Forgets a project; files that belonged to it stay."""
    projects: ProjectsService = request.app.state.services.projects
    await projects.delete(caller, str(id))
    return Answer(success=True, data=schema.Gone(id=str(id)))
