"""The codecs behind one door."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pinfold.core import codec
from pinfold.core.cid import CBOR, CID, DAG_CBOR, DAG_JSON, DAG_PB, JSON, RAW
from pinfold.core.errors import MalformedBlock, UnknownCodec


def test_raw_is_its_own_value_and_links_to_nothing() -> None:
    assert codec.decode(RAW, b"data") == b"data"
    assert codec.encode(RAW, b"data") == b"data"
    assert codec.links(RAW, CID.of(b"x").bytes) == []
    with pytest.raises(MalformedBlock):
        codec.encode(RAW, "text")


def test_one_value_in_every_codec_has_the_same_links() -> None:
    cids = [CID.of(b"1"), CID.of(b"2", codec=DAG_PB, version=0), CID.of(b"tiny", hash_code=0)]
    value: codec.Value = {"Data": b"x", "Links": [{"Hash": cid, "Name": "", "Tsize": 1} for cid in cids]}
    for code in (DAG_PB, DAG_CBOR, DAG_JSON):
        block = codec.encode(code, value)
        assert codec.decode(code, block) == value
        assert codec.links(code, block) == [cid.bytes for cid in cids]


def test_plain_cbor_and_json_have_no_links() -> None:
    for code in (CBOR, JSON):
        assert codec.links(code, b'{"/": "bafkqaaa"}') == []
        with pytest.raises(UnknownCodec):
            codec.decode(code, b"{}")


def test_an_unknown_codec_is_refused_by_its_name() -> None:
    for call in (codec.decode, codec.links):
        with pytest.raises(UnknownCodec, match="git-raw"):
            call(0x78, b"")
    with pytest.raises(UnknownCodec, match="0x1234"):
        codec.encode(0x1234, b"")


def test_the_compiled_codec_is_loaded_only_when_it_is_needed() -> None:
    program = "import sys, pinfold.core.codec, pinfold.core.car; assert 'libipld' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
