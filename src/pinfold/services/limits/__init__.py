"""What an organisation may keep and how often it may ask: quotas and rates."""

from pinfold.services.limits.quotas import LimitsService, Reservation, Room
from pinfold.services.limits.rates import RatesService, Standing

__all__ = ["LimitsService", "RatesService", "Reservation", "Room", "Standing"]
