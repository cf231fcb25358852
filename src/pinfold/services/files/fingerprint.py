"""What a picture looks like, in 64 bits: pictures that people take for the same differ in few of them."""

from __future__ import annotations

from typing import Final

import numpy as np

from pinfold.services.files.picture_process import SIDE

MAX_FILE_BYTES: Final = 64 << 20
"""Larger files are not looked into."""
_KEPT: Final = 8


def _cosines() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    at = np.arange(SIDE)
    waves = np.arange(_KEPT)[:, None]
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.cos(np.pi * (2 * at + 1) * waves / (2 * SIDE))
    return matrix


_COSINES: Final = _cosines()


def perceptual_hash(grey: bytes) -> int:
    """The hash of a picture in grey, 32 by 32, as a signed number of 64 bits.

    The lowest 8 by 8 frequencies of its cosine transform, each compared with their median (the very lowest, which is
    the brightness, left out of it).
    """
    pixels = np.frombuffer(grey, np.uint8).reshape(SIDE, SIDE).astype(np.float64)
    lowest = (_COSINES @ pixels @ _COSINES.T).ravel()
    bits = lowest > np.median(lowest[1:])
    value = int.from_bytes(np.packbits(bits).tobytes(), "big")
    return value - (1 << 64) if value >> 63 else value


def distance(one: int, other: int) -> int:
    """In how many of 64 bits two hashes differ."""
    return ((one ^ other) & (1 << 64) - 1).bit_count()
