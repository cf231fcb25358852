"""Tiers: how many copies content is worth, in a word."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Tier(StrEnum):
    """How much it would hurt to lose something."""

    CRITICAL = "critical"
    """Five copies."""
    IMPORTANT = "important"
    """Three copies."""
    STANDARD = "standard"
    """Two copies."""
    EPHEMERAL = "ephemeral"
    """One copy."""

    @property
    def replication_factor_max(self) -> int:
        """Copies that are wanted."""
        return _COPIES[self]

    @property
    def replication_factor_min(self) -> int:
        """Copies from which on it counts as pinned: half of them, so that one failing peer does not undo a pin."""
        return (_COPIES[self] + 1) // 2


_COPIES: Final = {Tier.CRITICAL: 5, Tier.IMPORTANT: 3, Tier.STANDARD: 2, Tier.EPHEMERAL: 1}
