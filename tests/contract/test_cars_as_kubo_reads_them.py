"""CARs of every odd form: what the real Kubo imports is read here, except where that would hide damage."""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import Path

import pytest

from pinfold.core import varint
from pinfold.core.car import CarReader, verify_record
from pinfold.core.errors import PinfoldError
from tests.support.cars import PRAGMA, v2_fields
from tests.support.kubo import Kubo, KuboFailed

DATA = b"hello car"
CID = b"\x01\x55\x12\x20" + sha256(DATA).digest()
IDENTITY = b"\x01\x55\x00\x03abc"


def text(word: str) -> bytes:
    return bytes([0x60 + len(word)]) + word.encode()


def link(cid: bytes) -> bytes:
    size = len(cid) + 1
    return b"\xd8\x2a" + (bytes([0x40 + size]) if size < 24 else bytes([0x58, size])) + b"\0" + cid


def framed(body: bytes) -> bytes:
    return varint.encode(len(body)) + body


def header(*fields: bytes) -> bytes:
    return framed(bytes([0xA0 + len(fields)]) + b"".join(fields))


def record(cid: bytes, data: bytes) -> bytes:
    return framed(cid + data)


def wrapped(inner: bytes, *, characteristics: bytes = bytes(16), size: int | None = None, index: int = 0) -> bytes:
    fields = v2_fields(51, len(inner) if size is None else size, index)
    return PRAGMA + characteristics + fields[16:] + inner


ROOTS = text("roots") + b"\x81" + link(CID)
VERSION = text("version") + b"\x01"
BLOCK = record(CID, DATA)
GOOD = header(ROOTS, VERSION) + BLOCK

TAKEN = {
    "plain": GOOD,
    "version before roots": header(VERSION, ROOTS) + BLOCK,
    "a version that is not in its shortest form": header(ROOTS, text("version") + b"\x18\x01") + BLOCK,
    "bytes behind the header's map": framed(header(ROOTS, VERSION)[1:] + b"\0") + BLOCK,
    "no roots": header(text("roots") + b"\x80", VERSION) + BLOCK,
    "roots null": header(text("roots") + b"\xf6", VERSION) + BLOCK,
    "roots absent": header(VERSION) + BLOCK,
    "the same root twice": header(text("roots") + b"\x82" + link(CID) * 2, VERSION) + BLOCK,
    "an identity root": header(text("roots") + b"\x81" + link(IDENTITY), VERSION) + BLOCK,
    "no roots and no blocks": header(text("roots") + b"\x80", VERSION),
    "a block three times": GOOD + BLOCK * 2,
    "an identity block": GOOD + record(IDENTITY, b"abc"),
    "v2": wrapped(GOOD),
    "v2, every characteristic": wrapped(GOOD, characteristics=b"\xff" * 16),
    "v2, fully indexed": wrapped(GOOD, characteristics=b"\x80" + bytes(15)),
    "v2, index inside the data": wrapped(GOOD, index=60),
    "v2, index inside the header": wrapped(GOOD, index=1),
    "v2, index behind the end": wrapped(GOOD, index=10_000),
    "v2, bytes behind the data": wrapped(GOOD) + b"garbage",
    "v2, roots null": wrapped(header(text("roots") + b"\xf6", VERSION) + BLOCK),
}
REFUSED = {
    "an extra field": header(text("a") + b"\x05", ROOTS, VERSION) + BLOCK,
    "an extra field and no roots": header(VERSION, text("x") + b"\x05") + BLOCK,
    "roots of the wrong type": header(text("roots") + b"\xa0", VERSION) + BLOCK,
    "a null root": header(text("roots") + b"\x81\xf6", VERSION) + BLOCK,
    "version absent": header(ROOTS) + BLOCK,
    "version 3": header(ROOTS, text("version") + b"\x03") + BLOCK,
    "an indefinite list": header(text("roots") + b"\x9f" + link(CID) + b"\xff", VERSION) + BLOCK,
    "a zero-length section at the end": GOOD + b"\0",
    "zero-length sections as padding": GOOD + bytes(100),
    "a zero-length section between": header(ROOTS, VERSION) + b"\0" + BLOCK,
    "an identity block with other bytes": GOOD + record(IDENTITY, b"abd"),
    "an identity block without bytes": GOOD + record(IDENTITY, b""),
    "a block that is not its CID": header(ROOTS, VERSION) + record(CID, b"hello cat"),
    "a block cut off": GOOD[:-1],
    "v2, no data": wrapped(GOOD, size=0),
    "v2 inside v2": wrapped(wrapped(GOOD)),
    "v2, zero-length sections": wrapped(GOOD + bytes(20)),
}
# Kubo takes these; the first three are files cut short, and of the last two readers would disagree on the meaning.
STRICTER = {
    "an empty file": b"",
    "cut off behind a length": GOOD + b"\x25",
    "v2, data cut off": wrapped(GOOD, size=len(GOOD) + 10),
    "version twice": header(ROOTS, VERSION, VERSION) + BLOCK,
    "roots twice": header(ROOTS, ROOTS, VERSION) + BLOCK,
}


def is_read(car: bytes) -> bool:
    try:
        for one in CarReader(io.BytesIO(car)):
            verify_record(one)
    except PinfoldError:
        return False
    return True


@pytest.mark.parametrize("kind", TAKEN)
def test_an_odd_car_that_is_whole_is_read(kind: str) -> None:
    assert is_read(TAKEN[kind])


@pytest.mark.parametrize("kind", REFUSED | STRICTER)
def test_a_malformed_car_is_refused(kind: str) -> None:
    assert not is_read((REFUSED | STRICTER)[kind])


def test_kubo_takes_and_refuses_the_same(kubo_daemon: Kubo, tmp_path: Path) -> None:
    taken = set()
    for kind, car in (TAKEN | REFUSED | STRICTER).items():
        path = tmp_path / "one.car"
        path.write_bytes(car)
        try:
            kubo_daemon.run("dag", "import", path)
        except KuboFailed:
            continue
        taken.add(kind)
    assert taken == TAKEN.keys() | STRICTER.keys()
