"""JSON bodies read as values, so that none of them holds up what else is answered.

A small one is read where it comes in.  A large one is read in a thread, one at a time; and as it is the number of
values that costs, not that of bytes, a body with more of them than anything has that is taken is never read at all.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pinfold.api import texts

SMALL_BYTES: Final = 256 << 10
"""Of the largest body that is read at once: it takes a millisecond or two."""

_STRING_OR_MARK: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[,\[{]', re.DOTALL)
_STRINGS_A_VALUE: Final = 2  # a key, and what it has

Validate = Callable[..., tuple[Any, list[Any]]]


def is_json(content_type: str) -> bool:
    """Whether a body of that type is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def check(body: bytes, most_values: int) -> None:
    """Pass a body that may be read.  Raises: HTTPException, 422."""
    if len(body) > most_values and _has_more_values(body, most_values):
        raise HTTPException(
            422, f"body: it holds more than {most_values:,} values, which no request needs; send several requests"
        )
    try:
        texts.check_body(body)
    except ValueError as exc:
        raise HTTPException(422, f"body: {exc}") from None


class Reading:
    """Reads the large ones."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()  # each takes many times its own memory

    async def check(self, body: bytes, most_values: int) -> None:
        """``check``, of a body of any size."""
        if len(body) <= SMALL_BYTES:
            return check(body, most_values)
        async with self._one_at_a_time:
            await asyncio.to_thread(check, body, most_values)

    async def read(self, body: bytes, validate: Validate) -> Any:
        """The value of a large body.  Raises: RequestValidationError."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(_read, body, validate)


def _read(body: bytes, validate: Validate) -> Any:
    try:
        said = orjson.loads(body)
    except json.JSONDecodeError as exc:
        wrong = {"type": "json_invalid", "loc": ("body", exc.pos), "msg": "JSON decode error", "input": {}}
        raise RequestValidationError([wrong]) from None
    value, mistakes = validate(said, loc=("body",))
    if mistakes:
        raise RequestValidationError(mistakes)
    return value


def _has_more_values(body: bytes, most: int) -> bool:
    if body.count(b",") + body.count(b"[") + body.count(b"{") <= most:
        return False
    marks = strings = 0  # some of those may stand in texts: look closer, no further than needed
    for found in _STRING_OR_MARK.finditer(body):
        if found.end() - found.start() == 1:
            marks += 1
        else:
            strings += 1
        if marks > most or strings > _STRINGS_A_VALUE * most:
            return True
    return False
