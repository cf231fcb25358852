"""Cutting by Rabin fingerprint: the last 16 bytes, as a polynomial over GF(2), modulo one of degree 53.

A mark is where the low bits of the fingerprint are all zero, as many of them as the average chunk size has.  The
fingerprint of every window is computed at once: each 8 bytes are reduced on their own, then the earlier 8 are
multiplied by x**64 and added.  Both steps are linear, so each is a few table look-ups.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pinfold.unixfs.chunker import content_defined
from pinfold.unixfs.chunker.size import Read

POLYNOMIAL: Final = 17437180132763653  # boxo's IpfsRabinPoly: irreducible, of degree 53
DEGREE: Final = 53
WINDOW: Final = 16
_LOOKUP_BITS: Final = 11  # 64 bits = 53 + 11, and 53 bits in five look-ups: tables that stay in the first-level cache
_LOOKUP_SIZE: Final = 1 << _LOOKUP_BITS
_SHIFTS: Final = range(0, DEGREE, _LOOKUP_BITS)
_STEP: Final = 32 * 1024  # windows at a time: their arrays stay in the second-level cache


def split(stream_read: Read, least: int, average: int, most: int) -> Iterator[memoryview]:
    """The stream cut as boxo's rabin chunker cuts it."""
    mark_bits = average.bit_length() - 1
    return content_defined.split(stream_read, least, most, WINDOW, partial(_marks, mark_bits))


def _marks(mark_bits: int, data: memoryview) -> list[int]:
    marks: list[int] = []
    for begin in range(0, len(data) - WINDOW + 1, _STEP):
        part = data[begin : begin + _STEP + WINDOW - 1]
        hits = np.flatnonzero(_low_bits(np.frombuffer(part, np.uint8), mark_bits) == 0)
        marks += (hits + (begin + WINDOW)).tolist()
    return marks


def _low_bits(data: NDArray[np.uint8], mark_bits: int) -> NDArray[np.uint32]:
    """The low ``mark_bits`` of the fingerprint of each window of ``data``."""
    reduction, shifted = _tables(mark_bits)
    one = data.astype(np.uint64)
    two = one[:-1] << np.uint64(8) | one[1:]
    four = two[:-2] << np.uint64(16) | two[2:]
    eight = four[:-4] << np.uint64(32) | four[4:]  # the 8 bytes from each place on, first byte highest
    reduced = eight & np.uint64((1 << DEGREE) - 1)
    reduced ^= reduction[(eight >> np.uint64(DEGREE)).view(np.int64)]
    earlier, later = reduced[:-8], reduced[8:]
    low = later.astype(np.uint32) & np.uint32((1 << mark_bits) - 1)
    for shift, table in zip(_SHIFTS, shifted, strict=True):
        index = earlier >> np.uint64(shift) & np.uint64(_LOOKUP_SIZE - 1)
        low ^= table[index.view(np.int64)]
    return low


@lru_cache(maxsize=8)
def _tables(mark_bits: int) -> tuple[NDArray[np.uint64], list[NDArray[np.uint32]]]:
    """What the 11 bits above the degree reduce to; and the low bits of each 11 bits of a remainder times x**64."""
    mask = (1 << mark_bits) - 1
    reduction = np.array([_remainder(top << DEGREE) for top in range(_LOOKUP_SIZE)], np.uint64)
    shifted = [
        np.array([_remainder(part << shift << 64) & mask for part in range(_LOOKUP_SIZE)], np.uint32)
        for shift in _SHIFTS
    ]
    return reduction, shifted


def _remainder(value: int) -> int:
    """A polynomial over GF(2), its coefficients as bits, modulo the polynomial."""
    while (excess := value.bit_length() - 1 - DEGREE) >= 0:
        value ^= POLYNOMIAL << excess
    return value
