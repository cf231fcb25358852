"""What a picture looks like, in 64 bits: pictures that people take for the same differ in few of them."""

from __future__ import annotations

import io
import warnings
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

MAX_FILE_BYTES: Final = 64 << 20
"""Larger files are not looked into."""
_MAX_PIXELS: Final = 64_000_000  # what a small file may unpack to: 64 MB of one channel
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")  # decoders that are fed by strangers everywhere
_SIDE: Final = 32
_KEPT: Final = 8


def _cosines() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    at = np.arange(_SIDE)
    waves = np.arange(_KEPT)[:, None]
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.cos(np.pi * (2 * at + 1) * waves / (2 * _SIDE))
    return matrix


_COSINES: Final = _cosines()


def perceptual_hash(data: bytes) -> int | None:
    """The hash as a signed number of 64 bits; None for what is no picture, is damaged, or unpacks to too much.

    The picture in grey, 32 by 32, the lowest 8 by 8 frequencies of its cosine transform, each compared with their
    median (the very lowest, which is the brightness, left out of it).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
                if opened.width * opened.height > _MAX_PIXELS:
                    return None
                opened.draft("L", (_SIDE * 4, _SIDE * 4))  # a JPEG need not be unpacked in full
                image: Image.Image = opened
                if image.mode in ("RGBA", "LA", "PA", "P"):
                    image = _on_white(image.convert("RGBA"))
                grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, Warning):
        return None
    except (Image.DecompressionBombError, MemoryError, OverflowError, TypeError, ArithmeticError):
        return None
    pixels = np.asarray(grey, dtype=np.float64)
    lowest = (_COSINES @ pixels @ _COSINES.T).ravel()
    bits = lowest > np.median(lowest[1:])
    value = int.from_bytes(np.packbits(bits).tobytes(), "big")
    return value - (1 << 64) if value >> 63 else value


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image)


def distance(one: int, other: int) -> int:
    """In how many of 64 bits two hashes differ."""
    return ((one ^ other) & (1 << 64) - 1).bit_count()
