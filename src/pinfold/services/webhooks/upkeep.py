"""Old events are forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pinfold.db import Database, webhooks
from pinfold.services.clock import Clock, utc_now

_AT_ONCE: Final = 500  # in one transaction, so that others wait for milliseconds only


async def prune_events(database: Database, days: int, clock: Clock = utc_now) -> int:
    """Remove events that are older than so many days, and their deliveries; how many events went."""
    before, removed = clock() - timedelta(days=days), 0
    while True:
        some = await database.everybody.write(webhooks.prune, before, _AT_ONCE)
        removed += some
        if some < _AT_ONCE:
            return removed
