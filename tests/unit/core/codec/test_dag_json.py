"""dag-json: strict about what it reads, canonical in what it writes."""

from __future__ import annotations

import pytest

from pinfold.core.cid import CID
from pinfold.core.codec import MAX_DEPTH, Value, dag_json
from pinfold.core.errors import MalformedBlock

CID_V1 = CID.of(b"x")

SPELLED: list[tuple[Value, str]] = [
    (None, "null"),
    (True, "true"),
    (-(2**64), "-18446744073709551616"),
    (2**64 - 1, "18446744073709551615"),
    (1.0, "1.0"),
    (-0.0, "-0.0"),
    (0.1, "0.1"),
    (1e16, "10000000000000000.0"),
    (1.5e20, "150000000000000000000.0"),
    (1e21, "1e+21"),
    (1.25e100, "1.25e+100"),
    (0.000001, "0.000001"),
    (1e-7, "1e-7"),
    (1.2345e-9, "1.2345e-9"),
    (-5e-324, "-5e-324"),
    (123456.789, "123456.789"),
    ("", '""'),
    ('"\\\n\x01é水', '"\\"\\\\\\n\\u0001é水"'),
    (b"", '{"/":{"bytes":""}}'),
    (b"\xff\xfe", '{"/":{"bytes":"//4"}}'),
    (CID_V1, f'{{"/":"{CID_V1}"}}'),
    ([1, [], {}], "[1,[],{}]"),
    ({"b": 1, "aa": 2, "a": [{"c": None}]}, '{"a":[{"c":null}],"aa":2,"b":1}'),
    ({"/": 1}, '{"/":1}'),
    ({"/": {"bytes": 1}}, '{"/":{"bytes":1}}'),
    ({"!": 1, "/": "x"}, '{"!":1,"/":"x"}'),
    ({"/": CID_V1}, f'{{"/":{{"/":"{CID_V1}"}}}}'),
]


@pytest.mark.parametrize(("value", "text"), SPELLED, ids=[text for _, text in SPELLED])
def test_a_value_has_one_canonical_spelling(value: Value, text: str) -> None:
    assert dag_json.encode(value).decode() == text
    read = dag_json.decode(text.encode())
    assert read == value
    assert type(read) is type(value)


def test_spaces_order_and_escapes_that_json_allows_are_read() -> None:
    text = b' { "b" : [ 1 , 2 ] ,\n "a" : "\\u00e9\\ud83d\\ude00" } \n'
    assert dag_json.decode(text) == {"a": "é😀", "b": [1, 2]}
    assert dag_json.encode(dag_json.decode(text)) == '{"a":"é😀","b":[1,2]}'.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "{",
        "[1,]",
        "1 2",
        "01",
        "nul",
        "'a'",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "18446744073709551616",
        "-18446744073709551617",
        "1" * 5000,
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":1}}',
        '"\\ud800"',
        '{"\\udfff":1}',
        '"a\nb"',
        "\ufeff1",
        '{"/":"not a CID"}',
        '{"/":""}',
        '{"/":"x","a":1}',
        f'{{"/":"{CID_V1}","a":1}}',
        '{"/":{"bytes":"AA=="}}',
        '{"/":{"bytes":"A"}}',
        '{"/":{"bytes":"AB"}}',
        '{"/":{"bytes":"__8"}}',
        '{"/":{"bytes":"é"}}',
        '{"/":{"bytes":"AA","x":1}}',
        '{"/":{"bytes":"AA"},"x":1}',
    ],
)
def test_what_is_no_dag_json_is_refused(text: str) -> None:
    with pytest.raises(MalformedBlock):
        dag_json.decode(text.encode())
    with pytest.raises(MalformedBlock):
        dag_json.links(text.encode())


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(MalformedBlock, match="UTF-8"):
        dag_json.decode(b'"\xff"')


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        2**64,
        "\ud800",
        {1: 2},
        {"\ud800": 1},
        {"/": "x"},
        {"/": "x", "a": 1},
        {"/": {"bytes": "x"}},
        {"/": {"bytes": "x", "more": 1}},
        {1, 2},
    ],
    ids=repr,
)
def test_what_dag_json_cannot_carry_is_not_written(value: Value) -> None:
    with pytest.raises(MalformedBlock):
        dag_json.encode([value])


def test_links_come_in_order_and_inside_of_everything() -> None:
    one, two = CID.of(b"1"), CID.of(b"2", codec=0x70, version=0)
    block = dag_json.encode([one, {"a": [two, {"b": one}]}])
    assert dag_json.links(block) == [one.bytes, two.bytes, one.bytes]


def test_a_link_inside_data_may_have_any_hash() -> None:
    odd = CID.read("f01551820" + "11" * 32)
    assert dag_json.decode(dag_json.encode([odd])) == [odd]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_depth_bomb_is_refused(depth: int, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    with pytest.raises(MalformedBlock, match="deep"):
        dag_json.decode((opening * depth + "1" + closing * depth).encode())


def test_brackets_inside_strings_are_no_depth() -> None:
    value: Value = ["[{" * 2000, '"' * 10 + "[" * 600]
    assert dag_json.decode(dag_json.encode(value)) == value


def test_the_deepest_value_allowed_comes_back() -> None:
    value: Value = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert dag_json.encode(dag_json.decode(dag_json.encode(value))) == b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    with pytest.raises(MalformedBlock, match="deeper"):
        dag_json.encode([value])
