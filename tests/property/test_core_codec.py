"""Any value comes back from any codec; any bytes are read or refused, never anything else."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from pinfold.core import codec
from pinfold.core.cid import BASE_PREFIXES, CID, DAG_CBOR, DAG_JSON, DAG_PB, RAW
from pinfold.core.codec import dag_json, dag_pb
from pinfold.core.codec.dag_pb import PBLink, PBNode
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import InvalidCID, MalformedBlock, PinfoldError

hashes = st.sampled_from([0x12, 0x13, 0x16, 0xB220, 0x1E, 0x00])
cids = st.builds(
    lambda data, code, hash_code: CID.of(data, codec=code, hash_code=hash_code),
    st.binary(max_size=40),
    st.sampled_from([RAW, DAG_PB, DAG_CBOR, DAG_JSON, 0x78]),
    hashes,
) | st.builds(lambda data: CID.of(data, codec=DAG_PB, version=0), st.binary(max_size=8))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.binary(max_size=40)
    | cids
    | cids.map(lambda cid: cid.bytes)
)
values: st.SearchStrategy[codec.Value] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5), max_leaves=20
)
nodes = st.builds(
    PBNode,
    st.lists(
        st.builds(
            PBLink,
            cids.map(lambda cid: cid.bytes),
            st.none() | st.binary(max_size=200),
            st.none() | st.integers(0, 2**64 - 1),
        ),
        max_size=5,
    ),
    st.none() | st.binary(max_size=50),
)


def links_in(value: codec.Value) -> list[bytes]:
    if isinstance(value, CID):
        return [value.bytes]
    if isinstance(value, list):
        return [link for item in value for link in links_in(item)]
    if isinstance(value, dict):
        return [link for item in value.values() for link in links_in(item)]
    return []


@given(values)
def test_a_value_comes_back_from_dag_cbor_and_its_links_with_it(value: codec.Value) -> None:
    block = codec.encode(DAG_CBOR, value)
    read = codec.decode(DAG_CBOR, block)
    assert read == value
    assert codec.encode(DAG_CBOR, read) == block
    assert codec.links(DAG_CBOR, block) == links_in(read)


@given(values)
def test_a_value_comes_back_from_dag_json_where_it_can_be_written(value: codec.Value) -> None:
    try:
        block = codec.encode(DAG_JSON, value)
    except MalformedBlock as exc:
        assert "no way to write" in str(exc)
        return
    read = codec.decode(DAG_JSON, block)
    assert read == value
    assert codec.encode(DAG_JSON, read) == block
    assert codec.links(DAG_JSON, block) == links_in(read)
    assert codec.encode(DAG_CBOR, read) == codec.encode(DAG_CBOR, value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_comes_back_from_dag_json(number: float) -> None:
    text = dag_json.encode(number)
    assert repr(dag_json.decode(text)) == repr(number)


@given(nodes)
def test_a_node_comes_back_from_dag_pb(node: PBNode) -> None:
    block = dag_pb.encode(node, sort=False)
    assert dag_pb.decode(block) == node
    assert dag_pb.links(block) == [link.cid for link in node.links]
    canonical = dag_pb.encode(node)
    assert codec.encode(DAG_PB, codec.decode(DAG_PB, canonical)) == canonical


def judge(code: int, block: bytes) -> None:
    """Read or refuse, by both ways alike; what DAG-CBOR reads is the one spelling of it.

    Only strings that are no UTF-8 are refused in a value and do not hide links.
    """
    refused = ""
    value = None
    try:
        value = codec.decode(code, block)
    except MalformedBlock as exc:
        refused = str(exc)
    try:
        links = codec.links(code, block)
    except MalformedBlock:
        assert refused
        return
    if refused:
        assert code == DAG_CBOR and "UTF-8" in refused
        return
    if code == DAG_CBOR:
        assert codec.encode(code, value) == block
    if code != DAG_JSON:
        assert links == links_in(value)


@given(st.sampled_from([DAG_PB, DAG_CBOR, DAG_JSON]), st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(code: int, block: bytes) -> None:
    judge(code, block)


@st.composite
def mutations(draw: st.DrawFn, blocks: st.SearchStrategy[bytes]) -> bytes:
    """A good block with a few bytes changed, left out or put in."""
    block = bytearray(draw(blocks))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(block)))
        cut = draw(st.integers(0, 3))
        block[at : at + cut] = draw(st.binary(max_size=3))
    return bytes(block)


@given(mutations(nodes.map(lambda node: dag_pb.encode(node, sort=False))))
def test_mutated_dag_pb_is_read_or_refused(block: bytes) -> None:
    judge(DAG_PB, block)


@given(mutations(values.map(lambda value: codec.encode(DAG_CBOR, value))))
def test_mutated_dag_cbor_is_read_or_refused(block: bytes) -> None:
    judge(DAG_CBOR, block)


@given(mutations(scalars.map(lambda value: codec.encode(DAG_JSON, [value, {"key": value}]))))
def test_mutated_dag_json_is_read_or_refused(block: bytes) -> None:
    judge(DAG_JSON, block)


@given(cids, st.sampled_from(sorted(BASE_PREFIXES)))
def test_a_cid_comes_back_from_bytes_and_from_every_base(cid: CID, base: str) -> None:
    assert CID.from_bytes(cid.bytes) == cid
    assert CID.parse(cid.encode(base)) == cid


@given(st.text(max_size=80) | mutations(cids.map(lambda cid: str(cid).encode())).map(lambda raw: raw.decode("latin-1")))
@example("m=")
@example("f0")
@example("z\x00")
def test_any_text_is_a_cid_or_refused(text: str) -> None:
    try:
        cid = CID.parse(text)
    except InvalidCID:
        return
    assert CID.parse(str(cid)) == cid


@given(st.text(max_size=60) | st.builds(lambda cid, rest: f"ipfs://{cid}/{rest}", cids, st.text(max_size=30)))
def test_any_text_is_a_content_path_or_refused(text: str) -> None:
    try:
        path = ContentPath.parse(text)
    except PinfoldError:
        return
    assert ContentPath.parse(str(path)) == path
