"""The audit log of one's own organisation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from pinfold.api.auth import AuditReader
from pinfold.api.envelope import Answer, ListAnswer
from pinfold.api.errors import responses
from pinfold.api.times import Moment
from pinfold.api.v1.account_schema import ID, TIME
from pinfold.api.v1.listing import Cursor, Limit, PageNumber, answer_of, wanted_by_number
from pinfold.db.audit import Filter
from pinfold.services.audit import AuditService

router = APIRouter(prefix="/api/v1/audit", tags=["organisation"])

_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_TEXT = r"^[^\x00-\x1f\x7f]*$"


class AuditEntry(BaseModel):
    """One change: who, what, from where."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="Its place in the log, from 1.", examples=[1])
    at: datetime = Field(description="When, UTC.", examples=[TIME])
    actor_kind: str = Field(description="`user`, `token` or `system`.", examples=["user"])
    actor_id: str | None = Field(description="Who.", examples=[ID])
    actor_name: str = Field(description="Who, for people.", examples=["ada@example.org"])
    action: str = Field(description="Noun and verb.", examples=["file.created"])
    target: str = Field(description="The id of what was changed.", examples=[ID])
    address: str = Field(description="The network address that the request came from.", examples=["192.0.2.1"])
    request_id: str = Field(description="Names the request in the server's log.", examples=["5f2b6c1e9a7d4e03"])
    detail: dict[str, Any] = Field(description="What there is to say about it.", examples=[{"name": "hello.txt"}])
    hash: str = Field(description="SHA-256 of all that this row says and the hash of the row before.", examples=[_HASH])
    previous_hash: str = Field(description="The hash of the row before.", examples=[_HASH])


class AuditCheck(BaseModel):
    """What a look at the whole log found."""

    is_whole: bool = Field(description="Whether every row is as it was written, and none is missing.", examples=[True])
    rows: int = Field(description="Rows that are, up to the first that is not.", examples=[42])
    broken_at: int | None = Field(description="The number of the first row that is not.", examples=[None])
    reason: str = Field(description="A sentence about it.", examples=[""])


@router.get(
    "",
    summary="List changes",
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_audit(
    request: Request,
    caller: AuditReader,
    action: Annotated[
        str | None,
        Query(max_length=64, pattern=_TEXT, description="Only this action, or all of a noun.", examples=["file"]),
    ] = None,
    actor: Annotated[
        str | None, Query(max_length=36, pattern=_TEXT, description="Only what this user or token did, by its id.")
    ] = None,
    target: Annotated[
        str | None, Query(max_length=512, pattern=_TEXT, description="Only changes of this, by its id.")
    ] = None,
    since: Annotated[Moment | None, Query(description="Only from then on.")] = None,
    before: Annotated[Moment | None, Query(description="Only before that.")] = None,
    page: PageNumber = 1,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ListAnswer[AuditEntry]:
    """Changes of the organisation, newest first."""
    audit: AuditService = request.app.state.services.audit
    wanted = wanted_by_number(page, limit, cursor)
    found = await audit.page(caller, wanted, Filter(action, actor, target, since, before))
    return answer_of(found, AuditEntry.model_validate, wanted, lambda one: one.number)


@router.get(
    "/verification",
    summary="Verify the log",
    response_description="What was found.",
    responses=responses(401, 403, 429),
)
async def verify_audit(request: Request, caller: AuditReader) -> Answer[AuditCheck]:
    """Reads all of the organisation's log and says whether anybody has tampered with it, and where first."""
    audit: AuditService = request.app.state.services.audit
    found = await audit.verify(caller.organisation_id)
    check = AuditCheck(
        is_whole=found.broken_at is None, rows=found.rows, broken_at=found.broken_at, reason=found.reason
    )
    return Answer(success=True, data=check)
