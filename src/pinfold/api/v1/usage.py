"""Usage: what an organisation keeps and does, day by day, and what deleting would give back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pinfold.api.auth import OrganisationAdmin, UsageReader
from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.api.times import Day
from pinfold.core.cid import CID
from pinfold.services.usage import UsageService, model

router = APIRouter(prefix="/api/v1/usage", tags=["usage"])

MOST_NAMED = 1000
_TIME = "2026-01-31T12:00:00.000000Z"


class UsageKept(BaseModel):
    """What is kept."""

    files: int = Field(description="Files.", examples=[12])
    pins: int = Field(description="Pin requests, those that files made left out.", examples=[3])
    logical_bytes: int = Field(
        description="What the quota counts: the bytes of the blocks that a root reaches, each block once, whatever "
        "sizes content claims; of files the same content under several names once, and of each pin request.",
        examples=[1048576],
    )
    unique_bytes: int | None = Field(
        description="Bytes of blocks that only this organisation's pins reach; null: not measured yet.",
        examples=[786432],
    )
    shared_bytes: int | None = Field(
        description="Bytes of blocks that other organisations' pins reach as well; null: not measured yet.",
        examples=[262144],
    )
    measured_at: datetime | None = Field(
        description="When unique and shared bytes were measured; null: not yet.", examples=[_TIME]
    )


class UsageDone(BaseModel):
    """What was done."""

    uploads: int = Field(description="Files uploaded.", examples=[4])
    uploaded_bytes: int = Field(description="Bytes of their blocks.", examples=[4096])
    requests: int = Field(description="Requests to the API with this organisation's tokens.", examples=[230])
    gateway_requests: int = Field(description="Requests to the gateway for content that is kept.", examples=[18])
    gateway_egress_bytes: int = Field(description="Bytes that the gateway sent of it.", examples=[73400])


class UsageDay(UsageKept, UsageDone):
    """One day (UTC): how it stood at its end, or stands now, and what was done on it."""

    day: date = Field(description="The day.", examples=["2026-01-31"])

    @classmethod
    def of(cls, day: model.Day) -> UsageDay:
        """The day as the API tells it."""
        return cls(day=day.day, **_fields(day.kept), **_fields(day.done))


class UsageLimits(BaseModel):
    """The quota; null is no limit."""

    bytes: int | None = Field(description="Most logical bytes.", examples=[1073741824])
    files: int | None = Field(description="Most files.", examples=[1000])
    pins: int | None = Field(description="Most pin requests.", examples=[1000])
    requests_per_day: int | None = Field(description="Most requests a day.", examples=[None])
    reserved_bytes: int = Field(description="Bytes that uploads under way have taken.", examples=[0])
    reserved_files: int = Field(description="Files that uploads under way have taken.", examples=[0])


class UsageTotal(BaseModel):
    """How an organisation stands."""

    kept: UsageKept = Field(description="What is kept now.")
    done: UsageDone = Field(description="All that was ever done.")
    limits: UsageLimits = Field(description="The quota.")


class Measured(BaseModel):
    """When bytes were measured."""

    measured_at: datetime = Field(description="Just now, or a moment ago.", examples=[_TIME])


class WouldFreeWish(BaseModel):
    """What one thinks of deleting."""

    model_config = ConfigDict(extra="forbid")

    files: list[UUID] = Field(default_factory=list, max_length=MOST_NAMED, description="Ids of files.", examples=[[]])
    pins: list[UUID] = Field(
        default_factory=list, max_length=MOST_NAMED, description="Ids of pin requests.", examples=[[]]
    )
    cids: list[Annotated[str, Field(max_length=512)]] = Field(
        default_factory=list,
        max_length=MOST_NAMED,
        description="CIDs: all files and pin requests of the organisation that have them.",
        examples=[["bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"]],
    )

    @model_validator(mode="after")
    def _names_something(self) -> WouldFreeWish:
        if not (self.files or self.pins or self.cids):
            raise ValueError("name at least one file, pin or CID")
        return self


class WouldFree(BaseModel):
    """What deleting it would give back."""

    logical_bytes: int = Field(description="Bytes that the quota gets back.", examples=[1048576])
    freed_bytes: int = Field(
        description="Bytes of blocks that your organisation needs no longer. The next gc gives them back to the disk, "
        "but for those that other organisations keep as well, which is not shown.",
        examples=[786432],
    )
    freed_blocks: int = Field(description="How many blocks those are.", examples=[3])
    roots: int = Field(description="Different contents among what was named.", examples=[1])
    roots_still_needed: int = Field(
        description="Those that another file or pin of your organisation keeps.", examples=[0]
    )


def _fields(record: model.Kept | model.Done | model.Limits | model.WouldFree) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _service(request: Request) -> UsageService:
    service: UsageService = request.app.state.services.usage
    return service


@router.get("", summary="Usage by day", response_description="The days.", responses=responses(400, 401, 403, 422))
async def get_usage(
    request: Request,
    caller: UsageReader,
    first: Annotated[Day | None, Query(alias="from", description="The first day; 30 days where left out.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day; today where left out.")] = None,
) -> Answer[list[UsageDay]]:
    """Days in UTC, the oldest first; today as it is now.  Days of which nothing is known are left out.

    Requests and the gateway's traffic are written down every few seconds; bytes are measured once an hour.
    """
    days = await _service(request).days(caller, first, last)
    return Answer(success=True, data=[UsageDay.of(day) for day in days])


@router.get("/total", summary="Usage now and ever", response_description="It.", responses=responses(401, 403))
async def get_usage_total(request: Request, caller: UsageReader) -> Answer[UsageTotal]:
    """What is kept now, what was ever done, and the quota."""
    total = await _service(request).total(caller)
    answer = UsageTotal(
        kept=UsageKept(**_fields(total.kept)),
        done=UsageDone(**_fields(total.done)),
        limits=UsageLimits(**_fields(total.limits)),
    )
    return Answer(success=True, data=answer)


@router.post("/measure", summary="Measure bytes now", response_description="Done.", responses=responses(401, 403))
async def measure_usage(request: Request, caller: OrganisationAdmin) -> Answer[Measured]:
    """Counts unique and shared bytes now, unless that was done a moment ago: where it takes long, not again soon.

    That is work for the whole server, so to look at usage is not enough for it; by itself it is done once an hour.
    """
    return Answer(success=True, data=Measured(measured_at=await _service(request).measure()))


@router.post(
    "/would-free",
    summary="What deleting would give back",
    response_description="What it would.",
    responses=responses(400, 401, 403, 404, 413, 422),
)
async def would_free(request: Request, caller: UsageReader, wish: WouldFreeWish) -> Answer[WouldFree]:
    """Deletes nothing.  Blocks that another file or pin of your organisation needs are not counted as freed."""
    found = await _service(request).would_free(
        caller,
        file_ids=[str(one) for one in wish.files],
        pin_ids=[str(one) for one in wish.pins],
        cids=[CID.parse(one) for one in wish.cids],
    )
    return Answer(success=True, data=WouldFree(**_fields(found)))
