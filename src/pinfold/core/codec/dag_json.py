"""The codec dag-json: the data model as JSON, strict about what it reads and canonical in what it writes.

Read: any spacing and key order that JSON allows. Refused: repeated keys, numbers that are not finite or over 64 bits,
strings that UTF-8 cannot carry, and the reserved maps ``{"/": …}`` in any form but a link's or a byte string's.
Written: no spaces, keys sorted by their bytes, floats as ECMAScript prints them and always with a point or an exponent.

Source:  ipld.io/specs/codecs/dag-json.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from typing import Final

from pinfold.core.cid import CID
from pinfold.core.codec.value import MAX_DEPTH, MAX_INT, MIN_INT, Value
from pinfold.core.errors import MalformedBlock, PinfoldError

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_MAX_DIGITS: Final = 20  # of 2**64


def decode(data: bytes) -> Value:
    """The value that ``data`` spells.  Raises: MalformedBlock."""
    return _read(data)[0]


def links(data: bytes) -> list[bytes]:
    """The binary CIDs in a block, in order.  Raises: MalformedBlock."""
    return _read(data)[1]


def _read(data: bytes) -> tuple[Value, list[bytes]]:
    found: list[bytes] = []

    def read_map(pairs: list[tuple[str, Value]]) -> Value:
        made = _read_map(pairs)
        if isinstance(made, CID):
            found.append(made.bytes)
        return made

    try:
        text = data.decode("utf-8")
        _check_depth(text)
        value: Value = json.loads(
            text,
            object_pairs_hook=read_map,
            parse_int=_read_int,
            parse_float=_read_float,
            parse_constant=_read_constant,
        )
        if "\\u" in text:
            _check_surrogates(value)
    except UnicodeDecodeError:
        raise MalformedBlock("no valid dag-json: it is not UTF-8") from None
    except ValueError as exc:
        raise MalformedBlock(f"no valid dag-json: {exc}") from None
    except RecursionError:  # the caller's own stack was nearly full
        raise MalformedBlock("no valid dag-json: it is nested too deep") from None
    return value, found


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedBlock(f"no valid dag-json: it is nested deeper than {MAX_DEPTH}")
        elif first in "]}":
            depth -= 1


def _check_surrogates(value: Value) -> None:
    r"""Refuse what only a ``\ud800`` escape can spell."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedBlock(f"the string {text!r} has characters that UTF-8 does not") from None


def _read_int(text: str) -> int:
    if len(text) <= _MAX_DIGITS + 1:  # before int(): a million digits take minutes
        number = int(text)
        if MIN_INT <= number <= MAX_INT:
            return number
    raise MalformedBlock(f"no valid dag-json: the number {text[:24]} does not fit into 64 bits")


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedBlock(f"no valid dag-json: the number {text[:24]} does not fit into 64 bits")
    return number


def _read_constant(text: str) -> Value:
    raise MalformedBlock(f"no valid dag-json: {text} is not finite")


def _read_map(pairs: list[tuple[str, Value]]) -> Value:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise MalformedBlock(f"no valid dag-json: the map key {twice!r} twice")
    if not _is_reserved(made):
        return made
    content = made["/"]
    if len(made) == 1 and isinstance(content, str):
        try:
            return CID.read(content)
        except PinfoldError as exc:
            raise MalformedBlock(f"no valid dag-json: a link without a valid CID: {exc}") from None
    if len(made) == 1 and isinstance(content, dict) and len(content) == 1:
        encoded = content["bytes"]
        if isinstance(encoded, str):
            return _read_bytes(encoded)
    raise MalformedBlock('no valid dag-json: a map that begins with "/" and is neither a link nor bytes')


def _is_reserved(item: dict[str, Value]) -> bool:
    """Whether a map would be read as a link or as bytes, well formed or not."""
    if "/" not in item or min(item) != "/":
        return False
    content = item["/"]
    if isinstance(content, dict):
        return "bytes" in content and min(content) == "bytes" and isinstance(content["bytes"], str)
    return isinstance(content, str)


def _read_bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedBlock("no valid dag-json: bytes that are not base64") from None
    if _base64(data) != text:  # padding, or bits behind the last byte
        raise MalformedBlock("no valid dag-json: bytes in base64 that is not canonical")
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def encode(value: Value) -> bytes:
    """The canonical block of ``value``.  Raises: MalformedBlock for what DAG-JSON cannot carry."""
    out: list[str] = []
    # One row for each list or map that is open: its items, and what closes it.
    pending: list[tuple[Iterator[tuple[str | None, Value]], str]] = [(iter(((None, value),)), "")]
    while pending:
        items, closing = pending[-1]
        for key, item in items:
            if out and out[-1] not in ("[", "{"):
                out.append(",")
            if key is not None:
                out.append(_quote(key) + ":")
            if isinstance(item, list | dict):
                if len(pending) > MAX_DEPTH:
                    raise MalformedBlock(f"a value nested deeper than {MAX_DEPTH} is no dag-json")
                out.append("[" if isinstance(item, list) else "{")
                pending.append(_open(item))
                break
            out.append(_scalar(item))
        else:
            out.append(closing)
            pending.pop()
    return "".join(out).encode("utf-8")


def _open(item: list[Value] | dict[str, Value]) -> tuple[Iterator[tuple[str | None, Value]], str]:
    if isinstance(item, list):
        return ((None, each) for each in item), "]"
    for key in item:
        if not isinstance(key, str):
            raise MalformedBlock(f"a map key must be a string, not {type(key).__name__}")
        _check_text(key)
    if _is_reserved(item):
        raise MalformedBlock('DAG-JSON has no way to write a map that begins with "/"')
    return iter(sorted(item.items())), "}"  # code points sort as their UTF-8 bytes do


def _scalar(item: Value) -> str:
    if item is None or isinstance(item, bool):
        return "null" if item is None else "true" if item else "false"
    if isinstance(item, int):
        if not MIN_INT <= item <= MAX_INT:
            raise MalformedBlock(f"{item} does not fit into 64 bits")
        return str(item)
    if isinstance(item, float):
        return _float(item)
    if isinstance(item, str):
        return _quote(item)
    if isinstance(item, bytes):
        return f'{{"/":{{"bytes":"{_base64(item)}"}}}}'
    if isinstance(item, CID):
        return f'{{"/":"{item}"}}'
    raise MalformedBlock(f"the data model has no {type(item).__name__}")


def _quote(text: str) -> str:
    _check_text(text)
    return json.dumps(text, ensure_ascii=False)


def _float(number: float) -> str:
    """A float as ECMAScript's ``Number::toString`` prints it, with ``.0`` where it would look whole."""
    if not math.isfinite(number):
        raise MalformedBlock(f"{number} is not finite")
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0.0"
    if 0 < point <= 21:
        if len(digits) <= point:
            return f"{sign}{digits.ljust(point, '0')}.0"
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
