"""What an import can and cannot pin, and what it says."""

from __future__ import annotations

import io
import re

import pytest

from pinfold.core import codec
from pinfold.core.cid import CBOR, CID, DAG_CBOR, JSON, RAW
from pinfold.core.errors import BlockNotFound, MalformedBlock, PinfoldError, UnknownCodec
from pinfold.node.car_import import import_car
from pinfold.node.checks import verify
from pinfold.store import Store
from tests.support import cars


def block(data: bytes, code: int = RAW) -> cars.RawBlock:
    return cars.RawBlock(CID.of(data, codec=code).bytes, data)


def refused(store: Store, data: bytes, error: type[PinfoldError]) -> str:
    """The message of an import that is refused and leaves nothing."""
    before = store.numbers()
    with pytest.raises(error) as caught:
        import_car(store, io.BytesIO(data))
    assert store.numbers()._replace(disk_bytes=0) == before._replace(disk_bytes=0)  # LMDB's file may have grown
    assert "--no-pin-roots" in caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("count", [0, 600])
def test_a_block_that_a_pin_cannot_read_is_named_with_its_offset(store: Store, count: int) -> None:
    before = cars.raw_blocks(count)
    bad = block(b"\xff\xff", DAG_CBOR)
    data = cars.car_v1([*before, bad], [bad.cid])
    message = refused(store, data, MalformedBlock)
    assert f"byte {len(cars.car_v1(before, [bad.cid]))} " in message
    assert str(CID.from_bytes(bad.cid)) in message
    assert import_car(store, io.BytesIO(data), pin_roots=False).blocks == count + 1


def test_an_unknown_codec_is_named_and_plain_ones_are_pinned(store: Store) -> None:
    odd = block(b"whatever", 0x78)
    root = block(codec.encode(DAG_CBOR, [CID.from_bytes(odd.cid)]), DAG_CBOR)
    message = refused(store, cars.car_v1([root, odd]), UnknownCodec)
    assert str(CID.from_bytes(odd.cid)) in message
    assert re.search(r"\bgit-raw\b", message)
    plain = [block(b"\xa0", CBOR), block(b"{}", JSON)]
    root = block(codec.encode(DAG_CBOR, [CID.from_bytes(each.cid) for each in plain]), DAG_CBOR)
    import_car(store, io.BytesIO(cars.car_v1([root, *plain])))
    store.gc()
    assert all(store.row(CID.from_bytes(each.cid).multihash) for each in [root, *plain])
    assert verify(store).ok


def test_a_root_that_is_not_whole_names_the_missing_block(store: Store) -> None:
    missing = block(b"not in it")
    root = block(codec.encode(DAG_CBOR, [CID.from_bytes(missing.cid)]), DAG_CBOR)
    assert str(CID.from_bytes(missing.cid)) in refused(store, cars.car_v1([root]), BlockNotFound)
