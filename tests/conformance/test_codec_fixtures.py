"""The fixtures of ipld/codec-fixtures: the same value in each codec, named by its CID, and what must be refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pinfold.core import codec
from pinfold.core.cid import CID, CODEC_CODES, DAG_JSON
from pinfold.core.errors import MalformedBlock
from tests.support.shared import shared_names, shared_path

pytestmark = pytest.mark.shared

FIXTURES = "fixtures/codec/fixtures"
NEGATIVE = "fixtures/codec/negative-fixtures"


def blocks_of(folder: Path) -> dict[str, bytes]:
    """The spellings of one value by the name of their codec; their file names must be their CIDs."""
    blocks = {}
    for path in folder.iterdir():
        cid_text, _, name = path.name.rpartition(".")
        data = path.read_bytes()
        assert CID.of(data, codec=CODEC_CODES[name]) == CID.parse(cid_text)
        blocks[name] = data
    return blocks


def negative(rel: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(shared_path(f"{NEGATIVE}/{rel}").read_text())
    assert rows
    return rows


@pytest.mark.parametrize("name", [name for name in shared_names(FIXTURES, "*") if not name.startswith(".")])
def test_each_codec_reads_the_value_and_writes_it_in_every_other(name: str) -> None:
    blocks = blocks_of(shared_path(f"{FIXTURES}/{name}"))
    assert {"dag-cbor", "dag-json"} <= blocks.keys()
    for source in blocks:
        value = codec.decode(CODEC_CODES[source], blocks[source])
        for target, expected in blocks.items():
            assert codec.encode(CODEC_CODES[target], value) == expected
    # Each codec orders the keys of a map, and so its links, in its own way.
    assert len({tuple(sorted(codec.links(CODEC_CODES[source], data))) for source, data in blocks.items()}) == 1


@pytest.mark.parametrize(
    "rel", ["dag-cbor/decode/duplicate-keys.json", "dag-json/decode/duplicate-keys.json", "dag-pb/decode/edges.json"]
)
def test_what_a_decoder_must_refuse_is_refused(rel: str) -> None:
    code = CODEC_CODES[rel.partition("/")[0]]
    for row in negative(rel):
        block = bytes.fromhex(str(row["hex"]))
        with pytest.raises(MalformedBlock):
            codec.decode(code, block)
        with pytest.raises(MalformedBlock):
            codec.links(code, block)


@pytest.mark.parametrize("rel", ["dag-pb/encode/basic-datamodel-kinds.json", "dag-pb/encode/invalid-forms.json"])
def test_what_an_encoder_must_refuse_is_refused(rel: str) -> None:
    code = CODEC_CODES[rel.partition("/")[0]]
    for row in negative(rel):
        value = codec.decode(DAG_JSON, json.dumps(row["dag-json"]).encode())
        with pytest.raises(MalformedBlock):
            codec.encode(code, value)
