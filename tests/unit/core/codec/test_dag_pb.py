"""dag-pb: nodes in and out, and everything that is none."""

from __future__ import annotations

import pytest

from pinfold.core import codec
from pinfold.core.cid import CID, DAG_PB
from pinfold.core.codec import dag_pb
from pinfold.core.codec.dag_pb import PBLink, PBNode
from pinfold.core.errors import MalformedBlock

V0 = CID.of(b"a", codec=DAG_PB, version=0).bytes
V1 = CID.of(b"b").bytes
IDENTITY = CID.of(b"tiny", hash_code=0).bytes
BLAKE = CID.of(b"c", hash_code=0xB220).bytes


def field(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


HASH = field(0x0A, V0)
LINK = field(0x12, HASH)

NODES = [
    PBNode([], None),
    PBNode([], b""),
    PBNode([], b"data" * 1000),
    PBNode([PBLink(V0, None, None)], None),
    PBNode([PBLink(V1, b"", 0), PBLink(V0, b"", 2**63)], b"\x08\x02"),
    PBNode([PBLink(IDENTITY, b"", 4), PBLink(BLAKE, b"", 2**64 - 1)], None),
    PBNode([PBLink(V1, b"n" * 200, 127), PBLink(V1, b"o" * 127, 128), PBLink(V1, b"p" * 128, 1)], b"x"),
    PBNode([PBLink(V0, b"\xff\xfe not UTF-8", 1)], None),
    PBNode([PBLink(V0, b"only a name", None), PBLink(V1, b"twice", 1), PBLink(V0, b"twice", 2)], b""),
    PBNode([PBLink(CID.of(bytes([number])).bytes, b"%03d" % number, number * 1000) for number in range(200)], b"dir"),
]


@pytest.mark.parametrize("node", NODES, ids=range(len(NODES)))
def test_a_node_comes_back_as_it_was(node: PBNode) -> None:
    block = dag_pb.encode(node)
    assert dag_pb.decode(block) == node
    assert dag_pb.links(block) == [link.cid for link in node.links]
    assert codec.encode(DAG_PB, codec.decode(DAG_PB, block)) == block


def test_links_are_sorted_by_the_bytes_of_their_names_and_equal_names_keep_their_order() -> None:
    links = [PBLink(V0, b"b", 1), PBLink(V1, b"a", 2), PBLink(V0, b"a", 3), PBLink(V0, None, 4), PBLink(V0, b"B", 5)]
    written = dag_pb.decode(dag_pb.encode(PBNode(links, None))).links
    assert [link.tsize for link in written] == [4, 5, 2, 3, 1]


def test_a_node_from_elsewhere_keeps_its_own_order() -> None:
    links = [PBLink(V0, b"b", 1), PBLink(V1, b"a", 2)]
    block = dag_pb.encode(PBNode(links, None), sort=False)
    assert dag_pb.decode(block).links == links
    assert dag_pb.encode(dag_pb.decode(block), sort=False) == block


def test_data_before_the_links_is_read() -> None:
    assert dag_pb.decode(field(0x0A, b"x") + LINK) == PBNode([PBLink(V0, None, None)], b"x")
    assert dag_pb.links(field(0x0A, b"x") + LINK) == [V0]


MALFORMED = {
    "a link without a CID": field(0x12, b""),
    "a link with a name alone": field(0x12, field(0x12, b"name")),
    "an empty CID": field(0x12, field(0x0A, b"")),
    "a CID that is cut off": field(0x12, field(0x0A, V1[:-1])),
    "a CID with bytes behind it": field(0x12, field(0x0A, V1 + b"x")),
    "a CID of version 2": field(0x12, field(0x0A, b"\x02" + V1[1:])),
    "two CIDs": field(0x12, HASH + HASH),
    "two names": field(0x12, HASH + field(0x12, b"a") + field(0x12, b"b")),
    "two sizes": field(0x12, HASH + b"\x18\x01\x18\x02"),
    "a name before the CID": field(0x12, field(0x12, b"a") + HASH),
    "a name behind the size": field(0x12, HASH + b"\x18\x01" + field(0x12, b"a")),
    "an unknown field in a link": field(0x12, HASH + b"\x20\x01"),
    "a size of the wrong wire type": field(0x12, HASH + field(0x1A, b"a")),
    "a name longer than its link": field(0x12, HASH + b"\x12\x05abcd"),
    "a size cut off at the end of its link": field(0x12, HASH + field(0x12, b"") + b"\x18\x80") + LINK,
    "a size without a byte": field(0x12, HASH + field(0x12, b"") + b"\x18") + LINK,
    "a size over 64 bits": field(0x12, HASH + b"\x18" + b"\xff" * 9 + b"\x02"),
    "a size of eleven bytes": field(0x12, HASH + b"\x18" + b"\x80" * 10 + b"\x01"),
    "links on both sides of the data": LINK + field(0x0A, b"") + LINK,
    "data twice": field(0x0A, b"a") + field(0x0A, b"a"),
    "an unknown field": LINK + b"\x1a\x00",
    "a field of the wrong wire type": b"\x08\x01",
    "a tag alone": b"\x0a",
    "data cut off": b"\x0a\x05abcd",
    "a link cut off": LINK[:-1],
    "a length without an end": b"\x0a" + b"\xff" * 11,
    "a length over the end": b"\x12" + b"\xff" * 9 + b"\x01",
    "text": b"hello, world",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_no_node_is_refused_and_by_links_alike(kind: str) -> None:
    with pytest.raises(MalformedBlock, match="dag-pb"):
        dag_pb.decode(MALFORMED[kind])
    with pytest.raises(MalformedBlock, match="dag-pb"):
        dag_pb.links(MALFORMED[kind])


def test_names_that_are_not_utf8_pass_through_the_data_model() -> None:
    block = dag_pb.encode(PBNode([PBLink(V0, b"caf\xe9", 1)], None))
    value = codec.decode(DAG_PB, block)
    assert value == {"Links": [{"Hash": CID.from_bytes(V0), "Name": "caf\udce9", "Tsize": 1}]}
    assert codec.encode(DAG_PB, value) == block


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"Links": None},
        {"Data": "text", "Links": []},
        {"Data": None, "Links": []},
        {"Links": [], "More": 1},
        {"Links": [{}]},
        {"Links": [{"Hash": "text"}]},
        {"Links": [{"Hash": CID.of(b"x"), "Name": None}]},
        {"Links": [{"Hash": CID.of(b"x"), "Name": "\ud800"}]},
        {"Links": [{"Hash": CID.of(b"x"), "Tsize": -1}]},
        {"Links": [{"Hash": CID.of(b"x"), "Tsize": 2**64}]},
        {"Links": [{"Hash": CID.of(b"x"), "Tsize": True}]},
        {"Links": [{"Hash": CID.of(b"x"), "More": 1}]},
        {"Links": [{"Hash": CID.of(b"x"), "Name": "b"}, {"Hash": CID.of(b"x"), "Name": "a"}]},
    ],
)
def test_a_value_of_another_form_is_no_node(value: codec.Value) -> None:
    with pytest.raises(MalformedBlock):
        codec.encode(DAG_PB, value)
