"""Pins: ask for a CID to be kept, and see how that stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request

from pinfold.api.auth import Authenticated
from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.api.v1.schema import Pin, PinStatus, PinWish
from pinfold.core.cid import CID
from pinfold.services.pins import PinsService

router = APIRouter(prefix="/api/v1/pins", tags=["pins"])

CIDText = Annotated[
    str,
    Path(
        max_length=512,
        description="The CID, in any base.",
        examples=["bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"],
    ),
]


@router.post(
    "/{cid}",
    status_code=202,
    summary="Pin a CID",
    response_description="Accepted.",
    responses=responses(400, 401, 413, 422),
)
async def pin(
    request: Request,
    _caller: Authenticated,
    cid: CIDText,
    wish: Annotated[PinWish | None, Body(description="A name, where one is wanted.")] = None,
) -> Answer[Pin]:
    """Accepts the wish to keep the DAG below a CID; the same wish again is the same request, tried afresh.

    The content must be here: what is not makes the pin `failed` with a sentence, and it is tried again by itself,
    less and less often.
    """
    pins: PinsService = request.app.state.services.pins
    accepted = await pins.request(CID.parse(cid), wish.name if wish else "")
    return Answer(success=True, data=Pin.of(accepted))


@router.get(
    "/{cid}/status",
    summary="How a CID stands",
    response_description="What is known.",
    responses=responses(400, 401, 404, 422),
)
async def status(request: Request, _caller: Authenticated, cid: CIDText) -> Answer[PinStatus]:
    """The copies of a CID that a file or a pin request names, and what each peer says, as last recorded."""
    pins: PinsService = request.app.state.services.pins
    return Answer(success=True, data=PinStatus.of(await pins.report(CID.parse(cid))))
