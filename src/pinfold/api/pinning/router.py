"""The endpoints of the Pinning Service API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from pinfold.api.auth import PinsReader, PinsWriter
from pinfold.api.envelope import Told
from pinfold.api.pinning import form, query
from pinfold.api.pinning.schema import Failure, PinObject, PinResults, PinStatusObject, told
from pinfold.api.v1.pin_schema import MAX_NAME, Storable
from pinfold.api.v1.pins import is_id
from pinfold.core.errors import PinConflict, PinNotFound
from pinfold.db.pin_lists import Match
from pinfold.services.accounts import Caller
from pinfold.services.pins import PinRequest, PinsService, RequestStatus

router = APIRouter(prefix=form.PREFIX, tags=["pinning service"])


RequestId = Annotated[str, Path(max_length=512, description="The `requestid`.")]
_Text = Annotated[str, Storable]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The request cannot be read, or asks for what cannot be."},
    401: {"model": Failure, "description": "The access token is missing or not known."},
    404: {"model": Failure, "description": "There is no such pin."},
    409: {"model": Failure, "description": "The quota is used up."},
    "4XX": {"model": Failure, "description": "The request is refused for another reason."},
    "5XX": {"model": Failure, "description": "The server failed."},
}


@router.get(
    "/pins",
    summary="List pin objects",
    response_model=PinResults,
    response_description="The newest of them.",
    responses=_RESPONSES,
    name="psa_list_pins",
)
async def list_pins(
    request: Request,
    caller: PinsReader,
    cid: Annotated[list[str] | None, Query(description="Only these CIDs, ten at most, between commas.")] = None,
    name: Annotated[_Text | None, Query(max_length=MAX_NAME, description="Only pins of that name.")] = None,
    match: Annotated[Match, Query(description="How `name` is compared.")] = Match.EXACT,
    status: Annotated[
        list[str] | None, Query(description="Only these statuses, between commas; `pinned` where none is named.")
    ] = None,
    before: Annotated[str | None, Query(max_length=64, description="Only pins made before that time.")] = None,
    after: Annotated[str | None, Query(max_length=64, description="Only pins made after that time.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most results.")] = 10,
    meta: Annotated[_Text | None, Query(description="Only pins with all these keys and values, a JSON object.")] = None,
) -> Response:
    """Pins of the token's organisation, newest first; those that uploads made are listed with their files."""
    wanted = query.pin_filter(cid, name, match, status, before, after, meta)
    pins: PinsService = request.app.state.services.pins
    found = await pins.page(caller, wanted, limit)
    results = await _told_all(request, found.requests)
    return Told({"count": max(found.total, len(results)), "results": results})


@router.post(
    "/pins",
    status_code=202,
    summary="Add a pin object",
    response_model=PinStatusObject,
    response_description="Accepted.",
    responses=_RESPONSES,
    name="psa_add_pin",
)
async def add_pin(request: Request, caller: PinsWriter, pin: PinObject) -> Response:
    """Accepts a new pin request, also for a CID that is pinned already."""
    pins: PinsService = request.app.state.services.pins
    return Told(await _told(request, await pins.add(caller, pin.wanted())), 202)


@router.get(
    "/pins/{requestid}",
    summary="Look at a pin object",
    response_model=PinStatusObject,
    response_description="The pin object.",
    responses=_RESPONSES,
    name="psa_get_pin",
)
async def get_pin(request: Request, caller: PinsReader, requestid: RequestId) -> Response:
    """One pin request and where it stands."""
    return Told(await _told(request, await _own(request, caller, requestid)))


@router.post(
    "/pins/{requestid}",
    status_code=202,
    summary="Replace a pin object",
    response_model=PinStatusObject,
    response_description="Accepted, under an id of its own.",
    responses=_RESPONSES,
    name="psa_replace_pin",
)
async def replace_pin(request: Request, caller: PinsWriter, requestid: RequestId, pin: PinObject) -> Response:
    """Puts a new request in the place of one; what the old one kept is let go of once the new content is here."""
    wanted = pin.wanted()
    await _own(request, caller, requestid)
    pins: PinsService = request.app.state.services.pins
    return Told(await _told(request, await pins.replace(caller, requestid, wanted)), 202)


@router.delete(
    "/pins/{requestid}",
    status_code=202,
    summary="Remove a pin object",
    response_class=Response,
    response_description="Gone.",
    responses=_RESPONSES,
    name="psa_remove_pin",
)
async def remove_pin(request: Request, caller: PinsWriter, requestid: RequestId) -> Response:
    """Removes a pin request; its content is let go of where nobody else wants it."""
    if not is_id(requestid):
        raise _unknown(requestid)
    pins: PinsService = request.app.state.services.pins
    try:
        await pins.remove(caller, requestid)
    except PinConflict as exc:  # a file's, which is not to be seen here
        raise _unknown(requestid) from exc
    return Response(status_code=202)


async def _own(request: Request, caller: Caller, requestid: str) -> PinRequest:
    """A request that is to be seen here.  Raises: PinNotFound."""
    if not is_id(requestid):
        raise _unknown(requestid)
    pins: PinsService = request.app.state.services.pins
    found = await pins.get(caller, requestid)
    if found.of_file:
        raise _unknown(requestid)
    return found


def _unknown(requestid: str) -> PinNotFound:
    return PinNotFound(f"there is no pin request {requestid[:64]}", hint="")


async def _told(request: Request, found: PinRequest) -> dict[str, Any]:
    (one,) = await _told_all(request, [found])
    return one


async def _told_all(request: Request, found: Sequence[PinRequest]) -> list[dict[str, Any]]:
    pins: PinsService = request.app.state.services.pins
    under_way = [one.cid for one in found if one.status is RequestStatus.PINNING]
    progress = await pins.progress(under_way) if under_way else {}
    delegates = request.app.state.delegates
    return [told(one, delegates, progress.get(one.cid.to_v1()) if progress else None) for one in found]
