"""Pin requests: what clients ask to keep, and how that stands."""

from pinfold.services.pins.jobs import Reconciler
from pinfold.services.pins.locks import CIDLocks
from pinfold.services.pins.model import Health, NodeReport, PinReport, PinRequest, RequestStatus
from pinfold.services.pins.service import PinsService

__all__ = [
    "CIDLocks",
    "Health",
    "NodeReport",
    "PinReport",
    "PinRequest",
    "PinsService",
    "Reconciler",
    "RequestStatus",
]
