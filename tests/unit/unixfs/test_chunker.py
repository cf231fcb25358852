from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from pinfold.core.errors import InvalidInput
from pinfold.unixfs.chunker import MAX_CHUNK_BYTES, FixedSize, Rabin, chunks, fixed_size, parse
from pinfold.unixfs.chunker import rabin as rabin_module
from pinfold.unixfs.profile import profile
from tests.support.dags import noise

KIB = 1024


def dribble(content: bytes, at_most: int) -> Callable[[int], bytes]:
    """A pipe that never gives more than a few bytes at a time."""
    stream = io.BytesIO(content)
    return lambda size: stream.read(min(size, at_most))


def sizes(content: bytes, chunker: str) -> list[int]:
    return [len(chunk) for chunk in chunks(io.BytesIO(content).read, chunker)]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("size-1", FixedSize(1)),
        (f"size-{MAX_CHUNK_BYTES}", FixedSize(MAX_CHUNK_BYTES)),
        ("rabin", Rabin(87381, 262144, 393216)),
        ("rabin-48", Rabin(16, 48, 72)),
        ("rabin-16-17-18", Rabin(16, 17, 18)),
        ("rabin-min:36-avg:512-max:1024", Rabin(36, 512, 1024)),
    ],
)
def test_a_chunker_is_read_from_its_name(text: str, parsed: object) -> None:
    assert parse(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "size",
        "size-",
        "size-0",
        "size--5",
        "size-1e3",
        f"size-{MAX_CHUNK_BYTES + 1}",
        "rabin-47",
        "rabin-1398000",
        "rabin-15-20-30",
        "rabin-20-20-30",
        "rabin-20-30-30",
        f"rabin-20-30-{MAX_CHUNK_BYTES + 1}",
        "rabin-1-2",
        "buzhash-3",
        "fastcdc",
    ],
)
def test_a_chunker_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


def test_fixed_size_is_known_only_where_size_decides() -> None:
    assert fixed_size(profile()) == 1024 * KIB
    assert fixed_size(profile(chunker="buzhash")) is None


@pytest.mark.parametrize(
    ("length", "expected"), [(0, []), (1, [1]), (9, [9]), (10, [10]), (11, [10, 1]), (30, [10, 10, 10])]
)
def test_fixed_chunks_are_full_but_for_the_last(length: int, expected: list[int]) -> None:
    assert sizes(noise(0, length), "size-10") == expected


@pytest.mark.parametrize("chunker", ["size-1000", "rabin-500", "buzhash"])
def test_a_pipe_that_gives_little_at_a_time_is_cut_the_same(chunker: str) -> None:
    content = noise(1, 700_000)
    assert [bytes(chunk) for chunk in chunks(dribble(content, 4099), chunker)] == [
        bytes(chunk) for chunk in chunks(io.BytesIO(content).read, chunker)
    ]


@pytest.mark.parametrize("chunker", ["size-1000", "rabin-16-64-200", "rabin-500", "rabin", "buzhash"])
@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 131071, 131072, 131073, 2_500_000])
def test_chunks_are_the_whole_stream_and_none_is_empty(chunker: str, length: int) -> None:
    content = noise(2, length)
    cut = [bytes(chunk) for chunk in chunks(io.BytesIO(content).read, chunker)]
    assert b"".join(cut) == content
    assert all(cut)


def naive_rabin(content: bytes, least: int, average: int, most: int) -> Iterator[int]:
    """Chunk ends by the plain definition: the remainder of each 16 bytes, one window after the other."""
    mask, start = (1 << average.bit_length() - 1) - 1, 0
    while start < len(content):
        end = start + least
        while end < len(content) and end < start + most:
            window = int.from_bytes(content[end - 16 : end], "big")
            if rabin_module._remainder(window) & mask == 0:
                break
            end += 1
        start = min(end, len(content))
        yield start


@pytest.mark.parametrize("parameters", [(16, 20, 40), (16, 48, 72), (100, 300, 900), (1000, 4096, 5000)])
def test_rabin_finds_what_the_plain_definition_finds(parameters: tuple[int, int, int]) -> None:
    content = noise(3, 60_000) + bytes(5_000) + noise(4, 20_000)
    ends, position = [], 0
    for size in sizes(content, "rabin-{}-{}-{}".format(*parameters)):
        position += size
        ends.append(position)
    assert ends == list(naive_rabin(content, *parameters))


def test_rabin_and_buzhash_keep_their_bounds_on_content_without_marks() -> None:
    assert sizes(b"\x01" * 1_000_000, "rabin-1000-4096-9000")[0] == 9000
    assert sizes(b"\x01" * 1_200_000, "buzhash") == [512 * KIB, 512 * KIB, 1_200_000 - 1024 * KIB]


def test_an_insertion_changes_the_chunks_around_it_only() -> None:
    content = noise(5, 3_000_000)
    before = {bytes(chunk) for chunk in chunks(io.BytesIO(content).read, "rabin-8000")}
    after = {bytes(chunk) for chunk in chunks(io.BytesIO(b"inserted" + content).read, "rabin-8000")}
    assert len(before - after) < 5
