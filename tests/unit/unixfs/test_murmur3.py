from __future__ import annotations

import pytest

from pinfold.unixfs import murmur3
from tests.support.dags import noise


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", 0),
        (b"hello", 0xCBD8A7B341BD9B02),
        (b"hello, world", 0x342FAC623A5EBC8E),
        (b"19 Jan 2038 at 3:14:07 AM", 0xB89E5988B737AFFC),
        (b"The quick brown fox jumps over the lazy dog.", 0xCD99481F9EE902C9),
    ],
)
def test_murmur3_gives_the_published_digests(text: bytes, digest: int) -> None:
    assert murmur3.murmur3_64(text) == digest


def test_many_names_at_once_hash_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [noise(length, length) for length in range(70)] * 3
    monkeypatch.setattr(murmur3, "_MANY", 1)
    assert murmur3.hash_names(names) == [murmur3.murmur3_64(name) for name in names]
