from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pinfold.services.files.fingerprint import distance, perceptual_hash


def picture(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def known(image: Image.Image, kind: str = "PNG", **options: int) -> int:
    value = perceptual_hash(encoded(image, kind, **options))
    assert value is not None
    assert -(1 << 63) <= value < 1 << 63
    return value


@pytest.mark.parametrize("seed", range(8))
def test_a_picture_is_known_again_smaller_brighter_and_compressed(seed: int) -> None:
    original = picture(seed)
    wanted = known(original)
    assert distance(wanted, known(original.resize((130, 97)))) <= 5
    assert distance(wanted, known(original, "JPEG", quality=30)) <= 5
    assert distance(wanted, known(original.convert("P"))) <= 5
    assert distance(wanted, known(original.point(lambda value: value * 0.9))) <= 5


def test_different_pictures_are_far_apart() -> None:
    values = [known(picture(seed)) for seed in range(20)]
    assert min(distance(one, other) for one in values for other in values if one != other) > 5


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels a side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        encoded(picture(1))[:200],
        bomb(9_000),
        bomb(200_000),
        bomb(1 << 31 - 1),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"P6 9999999999 9999999999 255\n",
    ],
)
def test_what_is_no_picture_or_unpacks_to_too_much_has_no_look(data: bytes) -> None:
    assert perceptual_hash(data) is None


def test_noise_in_a_file_of_a_known_kind_never_raises() -> None:
    dice = np.random.default_rng(5)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
        good = bytearray(encoded(picture(2), kind))
        for _ in range(60):
            bad = bytearray(good)
            for place in dice.integers(0, len(bad), 12):
                bad[place] = dice.integers(0, 256)
            perceptual_hash(bytes(bad))
