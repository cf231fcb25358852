"""murmur3-x64-128, its first 64 bits: where a name goes in a sharded folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F
_MASK: Final = 0xFFFFFFFFFFFFFFFF
_MANY: Final = 8_000  # from here on numpy pays, the time to import it included


def murmur3_64(name: bytes) -> int:
    """The first 64 bits of the 128-bit digest as a number, most significant bit first; seed 0."""
    h1 = h2 = 0
    size = len(name)
    whole = size & ~15
    for at in range(0, whole, 16):
        k1 = int.from_bytes(name[at : at + 8], "little")
        k2 = int.from_bytes(name[at + 8 : at + 16], "little")
        h1 ^= _mixed_first(k1)
        h1 = ((_rotated(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= _mixed_second(k2)
        h2 = ((_rotated(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK
    if size & 15 > 8:
        h2 ^= _mixed_second(int.from_bytes(name[whole + 8 :], "little"))
    if size & 15:
        h1 ^= _mixed_first(int.from_bytes(name[whole : whole + 8], "little"))
    h1, h2 = h1 ^ size, h2 ^ size
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    return (_final(h1) + _final(h2)) & _MASK


def hash_names(names: Sequence[bytes]) -> list[int]:
    """``murmur3_64`` of each name."""
    if len(names) < _MANY:
        return [murmur3_64(name) for name in names]
    hashes = [0] * len(names)
    by_size: dict[int, list[int]] = {}
    for index, name in enumerate(names):
        by_size.setdefault(len(name), []).append(index)
    for size, indexes in by_size.items():
        for index, value in zip(indexes, _same_size([names[i] for i in indexes], size), strict=True):
            hashes[index] = value
    return hashes


def _same_size(names: list[bytes], size: int) -> list[int]:
    """The hashes of names of one length, computed side by side."""
    import numpy as np  # many programs that import this never shard a folder

    padded = -(-size // 16) * 16
    table = np.zeros((len(names), padded), np.uint8)
    table[:, :size] = np.frombuffer(b"".join(names), np.uint8).reshape(len(names), size)
    words = table.view("<u8")
    h1, h2 = np.zeros((2, len(names)), np.uint64)
    five, n1, n2 = np.uint64(5), np.uint64(0x52DCE729), np.uint64(0x38495AB5)
    for at in range(0, size & ~15, 16):
        h1 ^= _mix(words[:, at // 8], _C1, 31, _C2)
        h1 = (_rotate(h1, 27) + h2) * five + n1
        h2 ^= _mix(words[:, at // 8 + 1], _C2, 33, _C1)
        h2 = (_rotate(h2, 31) + h1) * five + n2
    tail = (size & ~15) // 8
    if size & 15 > 8:
        h2 ^= _mix(words[:, tail + 1], _C2, 33, _C1)
    if size & 15:
        h1 ^= _mix(words[:, tail], _C1, 31, _C2)
    h1 ^= np.uint64(size)
    h2 ^= np.uint64(size)
    h1 = h1 + h2
    h2 = h2 + h1
    values: list[int] = (_finish(h1) + _finish(h2)).tolist()
    return values


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _mixed_first(word: int) -> int:
    return _rotated(word * _C1 & _MASK, 31) * _C2 & _MASK


def _mixed_second(word: int) -> int:
    return _rotated(word * _C2 & _MASK, 33) * _C1 & _MASK


def _final(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return value ^ value >> 33


def _rotate(values: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    import numpy as np

    return values << np.uint64(bits) | values >> np.uint64(64 - bits)


def _mix(words: NDArray[np.uint64], first: int, bits: int, second: int) -> NDArray[np.uint64]:
    import numpy as np

    return _rotate(words * np.uint64(first), bits) * np.uint64(second)


def _finish(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    import numpy as np

    shift = np.uint64(33)
    values = (values ^ values >> shift) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ values >> shift) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ values >> shift
