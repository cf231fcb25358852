"""The filter by status that lists of pins and files have: names between commas, or the parameter repeated."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, StringConstraints

from pinfold.services.pins import RequestStatus

_NAMES: Final = "|".join(RequestStatus)
_Joined = Annotated[str, StringConstraints(pattern=f"^({_NAMES})(,({_NAMES}))+$")]


def _split(given: Any) -> Any:
    """What stands between commas; anything that is no list of texts is for the check behind to refuse."""
    if not isinstance(given, list):
        return given
    return [part for one in given for part in (one.split(",") if isinstance(one, str) else [one])]


Statuses = Annotated[
    list[RequestStatus] | None,
    # The description has both forms; what is read has each name by itself.
    BeforeValidator(_split, json_schema_input_type=list[RequestStatus | _Joined] | None),
]
