"""What an organisation may keep and how often it may ask: quotas and rates."""

from pinfold.services.limits.quotas import LimitsService, Reservation, Room

__all__ = ["LimitsService", "Reservation", "Room"]
