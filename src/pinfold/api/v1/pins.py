"""Pins: ask for a CID to be kept, see how that stands, list, change and remove; one at a time."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Query, Request, Response

from pinfold.api import cursors, texts
from pinfold.api.auth import PinsReader, PinsWriter
from pinfold.api.envelope import Answer, ListAnswer, Pagination, Told
from pinfold.api.errors import responses
from pinfold.api.times import Moment, as_utc
from pinfold.api.v1.pin_schema import (
    CID_EXAMPLE,
    PRIORITIES,
    NewPin,
    Pin,
    PinChanges,
    PinsRemoved,
    PinStatus,
    PinWish,
    Storable,
    told,
)
from pinfold.api.v1.queue_reason import why_queued
from pinfold.api.v1.statuses import Statuses
from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput
from pinfold.db.pin_lists import Match, PinFilter
from pinfold.services.pins import PinsService
from pinfold.services.pins.model import root_of

router = APIRouter(prefix="/api/v1/pins", tags=["pins"])

MAX_OFFSET: Final = 100_000  # deeper ones cost more than anybody can want to read; cursors cost nothing
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

CIDAsId = Annotated[str, Path(alias="id", max_length=512, description="The CID, in any base.", examples=[CID_EXAMPLE])]
CIDText = Annotated[str, Path(max_length=512, description="The CID, in any base.", examples=[CID_EXAMPLE])]
IdOrCID = Annotated[
    str, Path(max_length=512, description="The `id` of a request, or a CID in any base.", examples=[CID_EXAMPLE])
]
_Text = Annotated[str, Storable]


@router.post(
    "",
    status_code=202,
    summary="Pin a CID",
    response_description="Accepted.",
    responses=responses(400, 401, 403, 409, 413, 422, 429),
)
async def add_pin(request: Request, caller: PinsWriter, wish: NewPin) -> Answer[Pin]:
    """Accepts the wish to keep the DAG below a CID; the same CID and name again are the same request, tried afresh.

    What is not here is fetched by verified HTTP: from `origins`, and from where the operator configured.
    """
    pins: PinsService = request.app.state.services.pins
    accepted, _ = await pins.ask(caller, wish.wanted(CID.parse(wish.cid)))
    return Answer(success=True, data=Pin.of(accepted))


@router.post(
    "/{id}",  # a path has one name for its parameter, whatever the method
    status_code=202,
    summary="Pin a CID by its address",
    response_description="Accepted.",
    responses=responses(400, 401, 403, 409, 413, 422, 429),
)
async def pin(
    request: Request,
    caller: PinsWriter,
    cid: CIDAsId,
    wish: Annotated[PinWish | None, Body(description="How it is to be kept, where that matters.")] = None,
) -> Answer[Pin]:
    """The same as `POST /api/v1/pins`, the CID in the path."""
    pins: PinsService = request.app.state.services.pins
    accepted, _ = await pins.ask(caller, (wish or PinWish.model_construct()).wanted(CID.parse(cid)))
    return Answer(success=True, data=Pin.of(accepted))


@router.get(
    "",
    summary="List pins",
    response_model=ListAnswer[Pin],
    response_description="The page.",
    responses=responses(400, 401, 403, 422, 429),
)
async def list_pins(
    request: Request,
    caller: PinsReader,
    cid: Annotated[
        list[Annotated[str, Query(max_length=512)]] | None,
        Query(max_length=100, description="Only requests for these CIDs; repeat it for several."),
    ] = None,
    name: Annotated[_Text | None, Query(max_length=255, description="Only requests with this name.")] = None,
    match: Annotated[Match, Query(description="How `name` is compared.")] = Match.EXACT,
    status: Annotated[
        Statuses, Query(description="Only requests that stand so; several between commas, or repeated.")
    ] = None,
    metadata: Annotated[
        _Text | None,
        Query(max_length=4096, description="Only requests with all these keys and values, as a JSON object."),
    ] = None,
    before: Annotated[Moment | None, Query(description="Only requests made before that time.")] = None,
    after: Annotated[Moment | None, Query(description="Only requests made after that time.")] = None,
    files: Annotated[bool, Query(description="Whether the requests that uploads made are listed as well.")] = False,
    page: Annotated[int | None, Query(ge=1, le=MAX_OFFSET, description="The page, from 1.")] = None,
    cursor: Annotated[
        _Text | None,
        Query(
            max_length=cursors.MAX_CHARACTERS, description="The `next_cursor` of the page before; not beside `page`."
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Requests on a page.")] = 20,
) -> Response:
    """One page of the pin requests of your organisation, newest first."""
    if cursor is not None and page is not None:
        raise InvalidInput("page and cursor are two ways to ask for a page: send one of them")
    offset = ((page or 1) - 1) * limit
    if offset > MAX_OFFSET:
        raise InvalidInput(
            f"page {page} begins behind {MAX_OFFSET:,} requests", hint="Follow next_cursor to read that far."
        )
    wanted = PinFilter(
        roots=[root_of(CID.parse(one)) for one in cid or ()],
        name=name,
        match=match,
        statuses=frozenset(status or ()),
        meta=parse_meta(metadata),
        before=before,
        after=after,
        with_files=files,
    )
    pins: PinsService = request.app.state.services.pins
    begin = None if cursor is None else _time_of(cursor)
    found = await pins.page(caller, wanted, limit, offset=offset, cursor=begin)
    pagination = Pagination.told(
        None if cursor is not None else page or 1,
        limit,
        found.total,
        is_exact=found.total_is_exact,
        next_cursor=_cursor_at(found.requests[-1].created_at) if found.has_more else None,
    )
    return Told({"success": True, "data": [told(one) for one in found.requests], "pagination": pagination})


@router.get(
    "/{cid}/status",
    summary="How a CID stands",
    response_description="What is known.",
    responses=responses(400, 401, 403, 404, 422, 429),
)
async def status(request: Request, caller: PinsReader, cid: CIDText) -> Answer[PinStatus]:
    """The copies of a CID that a file or a pin request of yours names, and what each peer says, as last recorded."""
    pins: PinsService = request.app.state.services.pins
    found = PinStatus.of(await pins.report(caller, CID.parse(cid)))
    return Answer(success=True, data=found.model_copy(update=await why_queued(request, found.pinStatus, found.error)))


@router.get(
    "/{id}",
    summary="Look at a pin",
    response_description="The request.",
    responses=responses(400, 401, 403, 404, 422, 429),
)
async def get_pin(request: Request, caller: PinsReader, id: IdOrCID) -> Answer[Pin]:
    """One pin request; of several for a CID, the newest."""
    pins: PinsService = request.app.state.services.pins
    found = await (pins.get(caller, id) if is_id(id) else pins.get_newest(caller, CID.parse(id)))
    pin = Pin.of(found)
    return Answer(success=True, data=pin.model_copy(update=await why_queued(request, pin.pinStatus, pin.error)))


@router.patch(
    "/{id}",
    summary="Change a pin",
    response_description="The request as it is now.",
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
)
async def change_pin(request: Request, caller: PinsWriter, id: IdOrCID, changes: PinChanges) -> Answer[Pin]:
    """Changes what is sent of a pin request, and has it looked at afresh: a failed one is tried again."""
    pins: PinsService = request.app.state.services.pins
    pin_id = id if is_id(id) else (await pins.get_newest(caller, CID.parse(id))).id
    values = changes.model_dump(include=changes.model_fields_set)
    if "metadata" in values:
        values["meta"] = values.pop("metadata")
    if "priority" in values:
        values["priority"] = PRIORITIES[values["priority"]]
    return Answer(success=True, data=Pin.of(await pins.change(caller, pin_id, values)))


@router.delete(
    "/{id}",
    summary="Remove a pin",
    response_description="What is gone.",
    responses=responses(400, 401, 403, 404, 409, 422, 429),
)
async def remove_pin(request: Request, caller: PinsWriter, id: IdOrCID) -> Answer[PinsRemoved]:
    """Removes a pin request, or by CID all of yours for it.  The content is let go of where nobody else wants it.

    The request of a file is not removed so: delete the file.  The bytes stay on the disk, and can be had from the
    gateway, until the operator runs `pinfold repo gc`.
    """
    pins: PinsService = request.app.state.services.pins
    if is_id(id):
        await pins.remove(caller, id)
        return Answer(success=True, data=PinsRemoved(ids=[id]))
    return Answer(success=True, data=PinsRemoved(ids=await pins.remove_all(caller, CID.parse(id))))


def is_id(text: str) -> bool:
    """Whether a path names a request rather than a CID; no CID has the dashes of an id."""
    return _ID.fullmatch(text) is not None


def parse_meta(text: str | None) -> dict[str, str]:
    """A filter by metadata.  Raises: InvalidInput for what is no JSON object of strings."""
    if text is None:
        return {}
    try:
        meta = json.loads(text)
        texts.check_value(meta)
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("the metadata filter is no JSON, or holds what is no text") from exc
    if not isinstance(meta, dict) or not all(isinstance(value, str) for value in meta.values()):
        raise InvalidInput('the metadata filter is no JSON object of strings, such as {"app": "blog"}')
    return meta


def _cursor_at(time: datetime) -> str:
    return cursors.encode(time.isoformat())


def _time_of(cursor: str) -> datetime:
    (text,) = cursors.decode(cursor, str)
    try:
        return as_utc(datetime.fromisoformat(str(text)))
    except ValueError:
        hint = "Send `next_cursor` of the page before as it is."
        raise InvalidInput("this cursor is none of this list", hint=hint) from None
