from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pinfold.core.errors import InvalidInput, ReplicationImpossible, StoreUnreadable
from pinfold.core.tier import Tier
from pinfold.engine import Peer
from pinfold.services.pins import Replication, Tiers
from tests.support.memory_engine import MemoryEngine
from tests.support.platform import run


class Many(MemoryEngine):
    """As many peers as a test wants, or none that can be asked."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.is_away = False

    async def peers(self) -> list[Peer]:
        if self.is_away:
            raise StoreUnreadable("away")
        return [Peer(str(number), "") for number in range(self.count)]


@pytest.mark.parametrize(
    ("peers", "tier", "least", "most", "expected"),
    [
        (1, None, None, None, (Tier.EPHEMERAL, 1, 1)),
        (2, None, None, None, (Tier.STANDARD, 1, 2)),
        (9, None, None, None, (Tier.STANDARD, 1, 2)),
        (9, Tier.CRITICAL, None, None, (Tier.CRITICAL, 3, 5)),
        (3, Tier.CRITICAL, None, None, (Tier.CRITICAL, 3, 5)),
        (1, Tier.CRITICAL, 1, None, (Tier.CRITICAL, 1, 5)),
        (9, Tier.IMPORTANT, None, 1, (Tier.IMPORTANT, 1, 1)),
        (9, Tier.EPHEMERAL, 4, None, (Tier.EPHEMERAL, 4, 4)),
        (1, None, None, 7, (None, 1, 7)),
        (9, None, 2, None, (None, 2, 2)),
        (9, None, 2, 3, (None, 2, 3)),
    ],
)
def test_copies_are_those_that_were_named_then_the_tier_s_then_the_engine_s(
    peers: int, tier: Tier | None, least: int | None, most: int | None, expected: tuple[Tier | None, int, int]
) -> None:
    assert run(Tiers(Many(peers)).choose(tier, least, most)) == Replication(*expected)


def test_a_minimum_beyond_the_engine_s_nodes_is_refused_with_their_number() -> None:
    with pytest.raises(ReplicationImpossible, match=r"1 node$"):
        run(Tiers(Many(1)).choose(factor_min=2))
    with pytest.raises(ReplicationImpossible, match="2 nodes"):
        run(Tiers(Many(2)).choose(Tier.CRITICAL))
    with pytest.raises(InvalidInput):
        run(Tiers(Many(9)).choose(factor_min=3, factor_max=2))


def test_an_engine_that_is_away_has_as_many_nodes_as_it_had() -> None:
    async def go() -> None:
        engine, now = Many(2), datetime(2026, 1, 1, tzinfo=UTC)
        tiers = Tiers(engine, lambda: now)
        assert await tiers.peers() == 2
        engine.is_away = True
        now += timedelta(minutes=1)
        assert await tiers.peers() == 2
        engine.is_away, engine.count = False, 3
        assert await tiers.peers() == 3

    run(go())
