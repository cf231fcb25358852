"""Times as requests give them: always text, so that ``0`` is no date."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticKnownError

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ZONED: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*([Zz]|[+ -]\d\d:?\d\d)", re.ASCII)
_UNESCAPED_PLUS: Final = re.compile(r" (\d\d:?\d\d)$")  # of a query arrives as a space


def as_utc(time: datetime) -> datetime:
    """The same moment in UTC.  Raises: ValueError without a zone, or outside of the years 1 to 9999 there."""
    if time.tzinfo is None:
        raise ValueError("this time has no zone")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC this time lies outside of the years 1 to 9999") from None


def _written_time(given: Any) -> Any:
    if isinstance(given, datetime):
        return given
    if isinstance(given, str):
        if _DAY.fullmatch(given):
            return f"{given}T00:00:00Z"
        if _ZONED.fullmatch(given):
            return _UNESCAPED_PLUS.sub(r"+\1", given)
    raise PydanticKnownError("datetime_type")


def _written_day(given: Any) -> Any:
    if isinstance(given, date) or (isinstance(given, str) and _DAY.fullmatch(given)):
        return given
    raise PydanticKnownError("date_type")


Moment = Annotated[AwareDatetime, BeforeValidator(_written_time), AfterValidator(as_utc)]
"""A time with its zone, made UTC; a date is its first moment in UTC."""
Day = Annotated[date, BeforeValidator(_written_day)]
"""A date."""
