"""Pin requests: what clients ask to keep, and how that stands."""

from pinfold.services.pins.expiry import Expiry
from pinfold.services.pins.jobs import Reconciler
from pinfold.services.pins.locks import CIDLocks
from pinfold.services.pins.model import Health, NodeReport, PinReport, PinRequest, Priority, RequestStatus, Wanted
from pinfold.services.pins.service import PinsService
from pinfold.services.pins.tiers import Replication, Tiers

__all__ = [
    "CIDLocks",
    "Expiry",
    "Health",
    "NodeReport",
    "PinReport",
    "PinRequest",
    "PinsService",
    "Priority",
    "Reconciler",
    "Replication",
    "RequestStatus",
    "Tiers",
    "Wanted",
]
