"""What is wrong with a parameter or a body, as a sentence: which field, and what it has to be.

The validator's own messages name its types and patterns, and are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Error = Mapping[str, Any]

PATTERNS: Final = {
    "^/": "has to be a multiaddr, such as /dns4/gateway.example.com/tcp/443/https",
    r"^[0-9a-f-]{1,64}$": "has to be an id, of the digits 0-9 and a-f and of dashes",
    r"^[A-Za-z0-9-]{1,64}$": "has to be an id, of 1 to 64 letters, digits and dashes",
    r"^[\x21-\x7e]+$": "has to be an id or a CID",
    r"^[^\x00-\x1f\x7f]*$": "must not have control characters",
    r"^[^\x00-\x1f\x7f]+$": "must not be empty, and must not have control characters",
    r"^[^\x00]*$": "must not have NUL characters",
    r"^[a-z0-9-]*$": "has to be a slug or an id, of small letters, digits and dashes",
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": "has to be a slug: small letters, digits, and dashes between them",
    r"^[a-z0-9][a-z0-9_-]*$": "has to be a name of small letters, digits, dashes and underscores",
}
"""What each pattern of a declaration asks for."""

_UUID: Final = "has to be an id, such as 0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
TIME: Final = "has to be a time with its zone, such as 2026-12-31T12:00:00Z, or a date such as 2026-12-31"
DAY: Final = "has to be a date, such as 2026-12-31"
_WHOLE: Final = "has to be a whole number"
_OBJECT: Final = "has to be a JSON object"
_BOOLEAN: Final = "has to be true or false"

_TOLD: Final[dict[str, str | Callable[[dict[str, Any]], str]]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "invalid_key": "has a key that is no text",
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": "has to be a list",
    "too_short": lambda ctx: f"has to have {_counted(ctx['min_length'], 'entry', 'entries')} or more",
    "too_long": lambda ctx: f"has to have {_counted(ctx['max_length'], 'entry', 'entries')} at most",
    "string_type": "has to be text",
    "string_unicode": "has to be text in UTF-8",
    "string_too_short": lambda ctx: f"has to have {_counted(ctx['min_length'], 'character', 'characters')} or more",
    "string_too_long": lambda ctx: f"has to have {_counted(ctx['max_length'], 'character', 'characters')} at most",
    "string_pattern_mismatch": lambda ctx: PATTERNS.get(ctx["pattern"], _OTHER),
    "enum": lambda ctx: f"has to be {_choices(ctx)}",
    "literal_error": lambda ctx: f"has to be {_choices(ctx)}",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": "has too many digits",
    "int_from_float": _WHOLE,
    "finite_number": "has to be a finite number",
    "greater_than": lambda ctx: f"has to be more than {ctx['gt']:,}",
    "greater_than_equal": lambda ctx: f"has to be {ctx['ge']:,} or more",
    "less_than": lambda ctx: f"has to be less than {ctx['lt']:,}",
    "less_than_equal": lambda ctx: f"has to be {ctx['le']:,} or less",
    "multiple_of": lambda ctx: f"has to be a multiple of {ctx['multiple_of']:,}",
    "datetime_type": TIME,
    "datetime_parsing": TIME,
    "datetime_object_invalid": TIME,
    "datetime_from_date_parsing": TIME,
    "timezone_aware": TIME,
    "date_type": DAY,
    "date_parsing": DAY,
    "date_from_datetime_parsing": DAY,
    "date_from_datetime_inexact": DAY,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "uuid_version": _UUID,
    "recursion_loop": "is nested too deeply",
    "recursion_depth_exceeded": "is nested too deeply",
}
_OTHER: Final = "is not of the form that /docs describes"
_NAME: Final = re.compile(r"[A-Za-z_][\w -]*", re.ASCII)
_MAX_NAME: Final = 64  # of a key that the client chose


def sentence(error: Error) -> str:
    """One sentence about the first thing that is wrong, from an error of the validator."""
    kind = error["type"]
    where = _where(error["loc"])
    if kind == "json_invalid":
        place = error["loc"][-1] if isinstance(error["loc"][-1], int) else error.get("ctx", {}).get("pos")
        return f"the body is no JSON: it cannot be read from character {place} on" if place else "the body is no JSON"
    if kind == "missing" and where == "body":
        return "the body is missing: this request takes JSON"
    if kind in ("value_error", "assertion_error"):
        said = str(error.get("ctx", {}).get("error", ""))  # raised by a check of ours
        return f"{where}: {said}" if said else f"{where} {_OTHER}"
    told = _TOLD.get(kind, _OTHER)
    return f"{where} {told if isinstance(told, str) else told(dict(error.get('ctx') or {}))}"


def _where(loc: Sequence[str | int]) -> str:
    """The field: ``pins[3].origins[0]``; names of the validator's own types are left out."""
    said = ""
    for part in loc[1:]:
        if isinstance(part, int):
            said += f"[{part}]"
        elif _NAME.fullmatch(part):
            said += f".{part[:_MAX_NAME]}" if said else part[:_MAX_NAME]
        elif part != "[key]":
            said = said or part[:_MAX_NAME]
    return said or str(loc[0])


def _choices(ctx: dict[str, Any]) -> str:
    return str(ctx["expected"]).replace("'", "")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
