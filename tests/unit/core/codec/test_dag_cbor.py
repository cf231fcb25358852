"""dag-cbor: one spelling for each value, and no other is read."""

from __future__ import annotations

import pytest

from pinfold.core.cid import CID
from pinfold.core.codec import MAX_DEPTH, Value, dag_cbor
from pinfold.core.errors import MalformedBlock

CID_V1 = CID.of(b"x")
LINK = "d82a582500" + CID_V1.bytes.hex()

SPELLED: list[tuple[Value, str]] = [
    (None, "f6"),
    (True, "f5"),
    (False, "f4"),
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (256, "190100"),
    (65536, "1a00010000"),
    (2**64 - 1, "1bffffffffffffffff"),
    (-1, "20"),
    (-25, "3818"),
    (-(2**64), "3bffffffffffffffff"),
    (1.0, "fb3ff0000000000000"),
    (-0.0, "fb8000000000000000"),
    ("", "60"),
    ("é", "62c3a9"),
    (b"", "40"),
    (b"\x01", "4101"),
    ([], "80"),
    ([1, [2]], "82018102"),
    ({}, "a0"),
    ({"b": 1, "a": 2, "aa": 3}, "a3616102616201626161" + "03"),
    (CID_V1, LINK),
]


@pytest.mark.parametrize(("value", "text"), SPELLED, ids=[text for _, text in SPELLED])
def test_a_value_has_one_spelling(value: Value, text: str) -> None:
    assert dag_cbor.encode(value).hex() == text
    read = dag_cbor.decode(bytes.fromhex(text))
    assert read == value
    assert type(read) is type(value)


REFUSED = {
    "nothing": "",
    "an integer that is not minimal": "1801",
    "a wide integer that is not minimal": "1b00000000ffffffff",
    "a length that is not minimal": "780161",
    "a tag that is not minimal": "d9002a582500" + CID_V1.bytes.hex(),
    "a link's length that is not minimal": "d82a59002500" + CID_V1.bytes.hex(),
    "a list of indefinite length": "9f01ff",
    "a map of indefinite length": "bf616101ff",
    "bytes of indefinite length": "5f4101ff",
    "a string of indefinite length": "7f6161ff",
    "keys in the wrong order": "a2616201616101",
    "a longer key first": "a262616101616201",
    "a key twice": "a2616101616102",
    "a key that is no string": "a10101",
    "a key that is bytes": "a1416101",
    "a float that is not a number": "fb7ff8000000000000",
    "an infinite float": "fb7ff0000000000000",
    "a float of 16 bits": "f93c00",
    "a float of 32 bits": "fa3f800000",
    "another tag": "c101",
    "undefined": "f7",
    "another simple value": "f820",
    "a stop code": "ff",
    "something behind the value": "0101",
    "a string that is not UTF-8": "61ff",
    "a string with a surrogate": "63eda080",
    "a link that is a string": "d82a6161",
    "a link without its prefix": "d82a5824" + CID_V1.bytes.hex(),
    "an empty link": "d82a40",
    "a link with a prefix alone": "d82a4100",
    "a link with bytes behind its CID": "d82a582600" + CID_V1.bytes.hex() + "00",
    "a link in a link": "d82ad82a582500" + CID_V1.bytes.hex(),
    "a list that is cut off": "8201",
    "a map that is cut off": "a16161",
    "bytes that are cut off": "4201",
    "a number that is cut off": "1a0000",
    "a huge list": "9bffffffffffffffff",
    "a huge map": "bbffffffffffffffff",
    "huge bytes": "5bffffffffffffffff",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_any_other_spelling_is_refused(kind: str) -> None:
    data = bytes.fromhex(REFUSED[kind])
    for block in (data, b"\x82" + data + bytes.fromhex(LINK)):
        if kind == "something behind the value" and block is not data:
            block += b"\x00"
        with pytest.raises(MalformedBlock, match="dag-cbor"):
            dag_cbor.decode(block)
        if "UTF-8" in kind or "surrogate" in kind:
            continue  # links are found all the same, see below
        with pytest.raises(MalformedBlock, match="dag-cbor"):
            dag_cbor.links(block)


def test_bytes_that_look_like_a_cid_stay_bytes() -> None:
    value: Value = {"bytes": CID_V1.bytes, "link": CID_V1, "short": b"\x12\x20" + bytes(32), "text": str(CID_V1)}
    block = dag_cbor.encode(value)
    read = dag_cbor.decode(block)
    assert read == value
    assert dag_cbor.encode(read) == block
    assert dag_cbor.links(block) == [CID_V1.bytes]
    assert dag_cbor.links(dag_cbor.encode(CID_V1.bytes)) == []


def test_links_come_in_the_order_of_the_block_and_as_often_as_they_stand_there() -> None:
    one, two, tiny = CID.of(b"1"), CID.of(b"2", codec=0x70, version=0), CID.of(b"tiny", hash_code=0)
    block = dag_cbor.encode([one, {"z": tiny, "a": [two, [one]]}, two])
    assert dag_cbor.links(block) == [one.bytes, two.bytes, one.bytes, tiny.bytes, two.bytes]


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x60"])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000, 1_000_000])
def test_a_depth_bomb_is_refused(depth: int, opening: bytes) -> None:
    with pytest.raises(MalformedBlock, match="deeper"):
        dag_cbor.decode(opening * depth + b"\x00")


def test_the_deepest_value_allowed_comes_back() -> None:
    value: Value = 1
    for level in range(MAX_DEPTH):
        value = [value] if level % 2 else {"k": value}
    block = dag_cbor.encode(value)
    assert dag_cbor.encode(dag_cbor.decode(block)) == block
    with pytest.raises(MalformedBlock, match="deeper"):
        dag_cbor.encode([value])


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**64, -(2**64) - 1, "\ud800", {1: 2}, {"\ud800": 1}, {1, 2}, len],
    ids=repr,
)
def test_what_the_data_model_does_not_know_is_not_written(value: Value) -> None:
    with pytest.raises(MalformedBlock):
        dag_cbor.encode([value])


def test_links_are_found_beside_strings_that_are_no_utf_8() -> None:
    """Blocks of old chains have such strings; what they link to must still be pinned."""
    link = CID.of(b"x")
    for data in (
        b"\x82\x61\xff\xd8\x2a\x58\x25\x00" + link.bytes,
        b"\xa1\x62\xff\xfe\xd8\x2a\x58\x25\x00" + link.bytes,
    ):
        assert dag_cbor.links(data) == [link.bytes]
        with pytest.raises(MalformedBlock, match="UTF-8"):
            dag_cbor.decode(data)
