"""Times as requests give them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def as_utc(time: datetime) -> datetime:
    """The same moment in UTC.  Raises: ValueError without a zone, or outside of the years 1 to 9999 there."""
    if time.tzinfo is None:
        raise ValueError("this time has no zone")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC this time lies outside of the years 1 to 9999") from None


Moment = Annotated[AwareDatetime, AfterValidator(as_utc)]
"""A time with its zone, made UTC."""
