"""How many copies a request wants: what it says, else what its tier says, else what the engine can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pinfold.core.errors import InvalidInput, PinfoldError, ReplicationImpossible
from pinfold.core.tier import Tier
from pinfold.engine import Engine
from pinfold.services.clock import Clock, utc_now

MAX_FACTOR: Final = 100
_FRESH_S: Final = 10.0  # peers come and go by the hand of people


@dataclass(frozen=True, slots=True)
class Replication:
    """How many copies a request wants."""

    tier: Tier | None
    factor_min: int
    """From so many on it is pinned."""
    factor_max: int
    """So many make it healthy."""


class Tiers:
    """Chooses replication by the peers that the engine has."""

    def __init__(self, engine: Engine, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._clock = clock
        self._peers = 0
        self._asked_at = 0.0

    async def peers(self) -> int:
        """How many peers the engine has, as known a few seconds ago at most."""
        now = self._clock().timestamp()
        if not self._peers or abs(now - self._asked_at) > _FRESH_S:
            try:
                self._peers = len(await self._engine.peers())
                self._asked_at = now
            except PinfoldError:
                if not self._peers:  # an engine that is away has as many as it had
                    raise
        return self._peers

    async def choose(
        self, tier: Tier | None = None, factor_min: int | None = None, factor_max: int | None = None
    ) -> Replication:
        """The replication of a request that says this much.

        Raises:  ReplicationImpossible for a minimum that the engine cannot reach; InvalidInput.
        """
        peers = await self.peers()
        if tier is None and factor_min is None and factor_max is None:
            tier = Tier.STANDARD if peers >= Tier.STANDARD.replication_factor_max else Tier.EPHEMERAL
        least, most = _factors(tier, factor_min, factor_max)
        if least > most:
            raise InvalidInput(f"replication_factor_min ({least}) is more than replication_factor_max ({most})")
        if least > peers:
            nodes = "1 node" if peers == 1 else f"{peers} nodes"
            raise ReplicationImpossible(
                f"at least {least} copies were asked for, and there is room for one each on {nodes}"
            )
        return Replication(tier, least, most)


def _factors(tier: Tier | None, factor_min: int | None, factor_max: int | None) -> tuple[int, int]:
    least = factor_min or (tier.replication_factor_min if tier else 1)
    most = factor_max or (tier.replication_factor_max if tier else least)
    if factor_max is None:
        return least, max(least, most)
    return (least if factor_min else min(least, most)), most
