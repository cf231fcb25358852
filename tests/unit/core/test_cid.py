"""CIDs: one identifier in many spellings, and nothing else."""

from __future__ import annotations

import pytest

from pinfold.core import binary_cid
from pinfold.core.cid import BASE_PREFIXES, CID, DAG_CBOR, DAG_JSON, DAG_PB, RAW, base_of, codec_name
from pinfold.core.errors import IdentityTooLarge, InsecureHash, InvalidCID, InvalidVarint

# The empty UnixFS folder and the empty raw block: identifiers that every implementation knows.
EMPTY_FOLDER_V0 = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
EMPTY_FOLDER_V1 = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
EMPTY_RAW = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def test_both_versions_of_a_cid_name_the_same_multihash() -> None:
    v0, v1 = CID.parse(EMPTY_FOLDER_V0), CID.parse(EMPTY_FOLDER_V1)
    assert (v0.version, v0.codec, v1.version, v1.codec) == (0, DAG_PB, 1, DAG_PB)
    assert v0.multihash == v1.multihash
    assert str(v0.to_v1()) == EMPTY_FOLDER_V1
    assert str(v1.to_v0()) == EMPTY_FOLDER_V0
    assert v0 != v1


def test_a_cid_is_computed_from_bytes() -> None:
    assert str(CID.of(b"")) == EMPTY_RAW
    assert str(CID.of(b"\x0a\x02\x08\x01", codec=DAG_PB, version=0)) == EMPTY_FOLDER_V0


@pytest.mark.parametrize("base", BASE_PREFIXES)
def test_every_multibase_spells_a_cid_and_reads_it_again(base: str) -> None:
    for cid in (CID.of(b"x"), CID.of(b"abc", hash_code=0), CID.of(b"x", codec=DAG_JSON, hash_code=0x13)):
        text = cid.encode(base)
        assert CID.parse(text) == cid
        assert base_of(text) == base


def test_known_spellings_of_one_cid() -> None:
    cid = CID.parse(EMPTY_FOLDER_V1)
    assert cid.encode("base16") == "f01701220" + cid.multihash[2:].hex()
    assert cid.encode("base16upper") == "F01701220" + cid.multihash[2:].hex().upper()
    assert cid.encode("base32upper") == "B" + EMPTY_FOLDER_V1[1:].upper()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Q",
        "hello",
        "Qm",
        EMPTY_FOLDER_V0[:-1],
        EMPTY_FOLDER_V0 + "x",
        "z" + EMPTY_FOLDER_V0,  # a CIDv0 has no prefix
        EMPTY_FOLDER_V0[:-1] + "0",  # no character of base58
        EMPTY_RAW[:-1],
        EMPTY_RAW + "a",
        EMPTY_RAW[:-1] + "v",  # stray bits
        EMPTY_RAW[:-1] + "1",
        EMPTY_RAW + "====",
        "x" + EMPTY_RAW[1:],
        "f02701220" + "11" * 32,  # version 2
        "f01701220" + "11" * 31,
        "f01701220" + "11" * 33,
        "f0170122" + "11" * 32,
        "f0181001220" + "11" * 32,  # a codec that is not minimal
        "f01" + "ff" * 10 + "1220" + "11" * 32,
        "f1220" + "11" * 32,
        "m" + "AXASIA==",
        "u+//+",
        "b" * 5000,
        "bafy\udc80",
        "Qm" + "é" * 44,
    ],
)
def test_what_is_no_cid_is_refused(text: str) -> None:
    with pytest.raises(InvalidCID):
        CID.parse(text)


def test_a_cid_with_an_insecure_hash_is_refused_where_people_name_it() -> None:
    for prefix, digest in (("1820", "11" * 32), ("d50110", "11" * 16), ("1213", "11" * 19), ("1113", "11" * 19)):
        with pytest.raises(InsecureHash):
            CID.parse("f0155" + prefix + digest)
    assert CID.parse("f01551214" + "11" * 20).codec == RAW


def test_a_cid_inside_data_may_have_any_hash() -> None:
    assert CID.read("f01551820" + "11" * 32).hash_code == 0x18


def test_identity_of_128_bytes_is_taken_and_of_129_is_not() -> None:
    cid = CID.of(bytes(128), hash_code=0)
    assert cid.is_identity
    assert cid.identity_data == bytes(128)
    assert CID.parse(str(cid)) == cid
    with pytest.raises(IdentityTooLarge):
        CID.of(bytes(129), hash_code=0)
    with pytest.raises(IdentityTooLarge):
        CID.parse("f0155008101" + "00" * 129)


def test_version_zero_names_nothing_but_dag_pb_by_sha2_256() -> None:
    with pytest.raises(InvalidCID):
        CID.of(b"x").to_v0()
    with pytest.raises(InvalidCID):
        CID.of(b"x", codec=DAG_PB, hash_code=0x13).to_v0()
    with pytest.raises(InvalidCID):
        CID(2, DAG_PB, CID.of(b"x").multihash)


def test_an_unknown_multibase_is_refused() -> None:
    with pytest.raises(InvalidCID, match="base32"):
        CID.of(b"x").encode("base1000")


def test_cids_are_equal_hashed_and_ordered_by_their_bytes() -> None:
    first, second = sorted([CID.of(b"a"), CID.of(b"b")])
    assert first.bytes < second.bytes
    assert len({CID.of(b"a"), CID.of(b"a"), CID.of(b"b")}) == 2
    assert CID.of(b"a") != CID.of(b"a").bytes
    assert repr(CID.of(b"")) == f"CID('{EMPTY_RAW}')"


def test_a_codec_without_a_name_is_its_number() -> None:
    assert (codec_name(DAG_CBOR), codec_name(0x1234)) == ("dag-cbor", "0x1234")


def test_binary_cids_tell_their_parts_without_an_object() -> None:
    for cid in (
        CID.of(b"x", codec=DAG_PB, version=0),
        CID.of(b"x"),
        CID.of(b"x", codec=DAG_JSON),
        CID.of(b"x", codec=DAG_CBOR, hash_code=0xB220),
        CID.of(b"inside", hash_code=0),
        CID.of(b"", codec=DAG_JSON, hash_code=0),
    ):
        assert binary_cid.split_cid(b"12" + cid.bytes + b"behind", 2) == 2 + len(cid.bytes)
        assert binary_cid.split_cid(memoryview(cid.bytes)) == len(cid.bytes)
        assert binary_cid.check_cid(cid.bytes) == cid.bytes
        assert binary_cid.codec_of(cid.bytes) == cid.codec
        assert binary_cid.multihash_of(cid.bytes) == cid.multihash
        assert binary_cid.identity_data(cid.bytes) == (cid.identity_data if cid.is_identity else None)


def test_a_binary_cid_that_is_cut_off_or_too_long_is_refused() -> None:
    for cid in (CID.of(b"x", codec=DAG_PB, version=0), CID.of(b"x"), CID.of(b"x", hash_code=0xB220)):
        for cut in range(len(cid.bytes)):
            with pytest.raises((InvalidCID, InvalidVarint)):
                binary_cid.check_cid(cid.bytes[:cut])
            with pytest.raises((InvalidCID, InvalidVarint)):
                CID.from_bytes(cid.bytes[:cut])
        with pytest.raises(InvalidCID):
            binary_cid.check_cid(cid.bytes + b"x")
        with pytest.raises((InvalidCID, InvalidVarint)):
            CID.from_bytes(cid.bytes + b"x")
