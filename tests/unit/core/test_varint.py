"""Varints: one spelling for each number."""

from __future__ import annotations

import pytest

from pinfold.core import varint
from pinfold.core.errors import InvalidVarint


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (255, "ff01"),
        (300, "ac02"),
        (16384, "808001"),
        (2**63 - 1, "ffffffffffffffff7f"),
    ],
)
def test_a_number_has_one_spelling(value: int, text: str) -> None:
    data = bytes.fromhex(text)
    assert varint.encode(value) == data
    assert varint.decode(data) == (value, len(data))
    assert varint.decode(memoryview(b"x" + data + b"y"), 1) == (value, 1 + len(data))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cut off"),
        ("80", "cut off"),
        ("ffff", "cut off"),
        ("8000", "not minimal"),
        ("818000", "not minimal"),
        ("ff" * 9 + "01", "longer than 9"),
        ("80" * 20, "longer than 9"),
    ],
)
def test_any_other_spelling_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidVarint, match=why):
        varint.decode(bytes.fromhex(text))


def test_the_offset_is_in_the_message() -> None:
    with pytest.raises(InvalidVarint, match="at byte 3"):
        varint.decode(b"abc\x80", 3)
