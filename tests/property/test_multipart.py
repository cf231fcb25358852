"""Whatever a client sends as a form, it is read whole or refused, and never read wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from pinfold.api.multipart import PartBegin, PartData, parse
from pinfold.core.errors import InvalidInput

BOUNDARY = b"bnd"
TYPE = "multipart/form-data; boundary=bnd"

# Content that looks like boundaries, which is where parsers go wrong.
pieces = st.lists(
    st.sampled_from([b"\r\n", b"--", b"bnd", b"\r", b"\n", b"-", b"x", b"\x00", b"\r\n--bn"]), max_size=30
)
contents = st.lists(pieces.map(b"".join).filter(lambda data: b"\r\n--bnd" not in b"\r\n" + data), max_size=4)


def form(parts: list[bytes]) -> bytes:
    head = b'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    return b"".join(b"--bnd\r\n" + head + data + b"\r\n" for data in parts) + b"--bnd--\r\n"


def read(body: bytes, cuts: list[int]) -> list[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
        for start, stop in pairwise(edges):
            yield body[start:stop]

    async def collect() -> list[bytes]:
        found: list[bytes] = []
        async for event in parse(TYPE, chunks()):
            if isinstance(event, PartBegin):
                found.append(b"")
            elif isinstance(event, PartData):
                found[-1] += event.data
        return found

    with patch("pinfold.api.multipart.FEED_BYTES", 1):  # so that the parser sees every cut
        return asyncio.run(collect())


@given(contents.filter(bool), st.lists(st.integers(0, 10_000), max_size=20))
def test_every_part_comes_back_as_it_was_however_it_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    assert read(form(parts), cuts) == parts


@given(
    contents.filter(bool),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3),
    st.lists(st.integers(0, 10_000), max_size=5),
)
def test_a_mutated_form_is_read_or_refused_and_nothing_else(
    parts: list[bytes], changes: list[tuple[int, int]], cuts: list[int]
) -> None:
    body = bytearray(form(parts))
    for position, value in changes:
        body[position % len(body)] = value
    try:
        read(bytes(body), cuts)
    except InvalidInput:
        pass


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    try:
        read(noise, [])
    except InvalidInput:
        return
    raise AssertionError("noise was taken for a form")
