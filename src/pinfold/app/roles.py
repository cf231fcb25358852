"""What a process of the platform does: all of it, or one part beside other processes."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """One part of the platform."""

    API = "api"
    """Answers the API."""
    WORKER = "worker"
    """Carries out pins, deliveries and upkeep."""
    GATEWAY = "gateway"
    """Serves content."""


EVERY_ROLE: Final = frozenset(Role)
