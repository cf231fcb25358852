"""What time it is, so that tests can say so themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pinfold.core.errors import InvalidInput

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def require_to_come(expires_at: datetime | None, now: datetime) -> None:
    """Make sure that an end is still to come, where there is one.  Raises: InvalidInput."""
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires_at lies in the past")
