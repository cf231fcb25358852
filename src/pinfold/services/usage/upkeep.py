"""Old traffic is forgotten: what organisations did is kept with their days."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pinfold.db import Database, usage
from pinfold.services.clock import Clock, utc_now

TRAFFIC_DAYS: Final = 90
"""Days for which it is known what the gateway served below each root; popular files are those of fewer."""


async def prune_traffic(database: Database, clock: Clock = utc_now) -> None:
    """Remove what is older."""
    await database.everybody.write(usage.prune_traffic, clock().date() - timedelta(days=TRAFFIC_DAYS))
