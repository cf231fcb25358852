"""Many pins in one call."""

from __future__ import annotations

from fastapi import APIRouter, Request

from pinfold.api.auth import PinsWriter
from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.api.v1.pin_schema import Bulk, NewPin, PinsToAdd, PinsToRemove, PinsToRenew
from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput
from pinfold.services.pins import Wanted
from pinfold.services.pins.bulk import BulkPins, BulkResult

router = APIRouter(prefix="/api/v1/pins/bulk", tags=["pins"])

_RESPONSES = responses(400, 401, 403, 413, 422, 429)
_RESPONSE = "What became of each; some may have been refused."


@router.post("/add", summary="Pin many CIDs", response_description=_RESPONSE, responses=_RESPONSES)
async def add_pins(request: Request, caller: PinsWriter, body: PinsToAdd) -> Answer[Bulk]:
    """Accepts up to 10,000 wishes.  A CID that is asked for already by the same name is renewed."""
    bulk: BulkPins = request.app.state.services.bulk_pins
    return Answer(success=True, data=Bulk.of(await bulk.add(caller, [_wish(pin) for pin in body.pins])))


def _wish(pin: NewPin) -> Wanted | BulkResult:
    try:
        return pin.wanted(CID.parse(pin.cid))
    except InvalidInput as exc:
        return BulkResult.refused(exc, cid=pin.cid)


@router.post("/remove", summary="Remove many pins", response_description=_RESPONSE, responses=_RESPONSES)
async def remove_pins(request: Request, caller: PinsWriter, body: PinsToRemove) -> Answer[Bulk]:
    """Removes up to 10,000 requests by their ids."""
    bulk: BulkPins = request.app.state.services.bulk_pins
    return Answer(success=True, data=Bulk.of(await bulk.remove(caller, body.ids)))


@router.post("/renew", summary="Renew many pins", response_description=_RESPONSE, responses=_RESPONSES)
async def renew_pins(request: Request, caller: PinsWriter, body: PinsToRenew) -> Answer[Bulk]:
    """Keeps up to 10,000 requests until another time, and tries those that failed again."""
    bulk: BulkPins = request.app.state.services.bulk_pins
    return Answer(success=True, data=Bulk.of(await bulk.renew(caller, body.ids, body.expires_at)))
