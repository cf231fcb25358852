from __future__ import annotations

import io
import os
import signal
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from pinfold.services.files.fingerprint import distance, perceptual_hash
from pinfold.services.files.picture_decoder import PictureDecoder


@pytest.fixture(scope="module")
def decoder() -> Iterator[PictureDecoder]:
    with PictureDecoder() as decoder:
        yield decoder


def look(decoder: PictureDecoder, data: bytes) -> int | None:
    grey = decoder.grey([data])
    return None if grey is None else perceptual_hash(grey)


def picture(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def known(decoder: PictureDecoder, image: Image.Image, kind: str = "PNG", **options: int) -> int:
    value = look(decoder, encoded(image, kind, **options))
    assert value is not None
    assert -(1 << 63) <= value < 1 << 63
    return value


@pytest.mark.parametrize("seed", range(8))
def test_a_picture_is_known_again_smaller_brighter_and_compressed(seed: int, decoder: PictureDecoder) -> None:
    original = picture(seed)
    wanted = known(decoder, original)
    assert distance(wanted, known(decoder, original.resize((130, 97)))) <= 5
    assert distance(wanted, known(decoder, original, "JPEG", quality=30)) <= 5
    assert distance(wanted, known(decoder, original.convert("P"))) <= 5
    assert distance(wanted, known(decoder, original.point(lambda value: value * 0.9))) <= 5


def test_different_pictures_are_far_apart(decoder: PictureDecoder) -> None:
    values = [known(decoder, picture(seed)) for seed in range(20)]
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
def test_what_is_no_picture_or_unpacks_to_too_much_has_no_look(data: bytes, decoder: PictureDecoder) -> None:
    assert look(decoder, data) is None


def test_noise_in_a_file_of_a_known_kind_never_raises(decoder: PictureDecoder) -> None:
    dice = np.random.default_rng(5)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
        good = bytearray(encoded(picture(2), kind))
        for _ in range(60):
            bad = bytearray(good)
            for place in dice.integers(0, len(bad), 12):
                bad[place] = dice.integers(0, 256)
            look(decoder, bytes(bad))


def large(side: int, mode: int, channels: int) -> bytes:
    """A PNG of few bytes that is whole, and unpacks to ``side`` times ``side`` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, mode, 0, 0, 0)
    packer, line = zlib.compressobj(), bytes(1 + side * channels)
    body = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_small_file_that_unpacks_to_hundreds_of_megabytes_takes_them_in_no_process(decoder: PictureDecoder) -> None:
    data = large(7_900, mode=6, channels=4)  # 62 million pixels
    assert len(data) < 300_000
    assert look(decoder, data) is None
    assert decoder._process is not None
    with open(f"/proc/{decoder._process.pid}/status", encoding="ascii") as status:
        (peak,) = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    assert peak < 300 << 10, "KiB: the picture was refused by its size, before it was unpacked"


def test_a_large_picture_with_transparency_has_a_look_within_the_memory_that_there_is(decoder: PictureDecoder) -> None:
    assert look(decoder, large(6_300, mode=6, channels=4)) is not None


def test_a_picture_that_ends_its_decoder_has_no_look_and_the_next_one_has() -> None:
    with PictureDecoder() as decoder:
        good = encoded(picture(3))
        assert look(decoder, good) is not None
        first = decoder._process
        assert first is not None

        def killing() -> Iterator[bytes]:
            yield good[:100]
            os.kill(first.pid, signal.SIGSEGV)
            first.wait()
            yield good[100:]

        assert decoder.grey(killing()) is None
        assert look(decoder, good) is not None
        assert decoder._process is not first


def test_a_decoder_that_does_not_answer_is_killed() -> None:
    with PictureDecoder(wall_s=0.2) as decoder:
        good = encoded(picture(3))
        with PictureDecoder() as patient:
            assert look(patient, good) is not None

        def stopping() -> Iterator[bytes]:
            assert decoder._process is not None
            os.kill(decoder._process.pid, signal.SIGSTOP)
            yield good

        assert decoder.grey(stopping()) is None


def test_a_picture_whose_bytes_cannot_be_read_leaves_the_decoder_ready_for_the_next(decoder: PictureDecoder) -> None:
    def torn() -> Iterator[bytes]:
        yield encoded(picture(3))[:100]
        raise ConnectionError("its blocks are not here")

    with pytest.raises(ConnectionError):
        decoder.grey(torn())
    assert look(decoder, encoded(picture(4))) == look(decoder, encoded(picture(4)))


def test_the_decoder_gets_no_environment_and_outlives_the_signals_of_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PINFOLD_DATABASE_URL", "not for others")
    with PictureDecoder() as decoder:
        good = encoded(picture(3))
        assert look(decoder, good) is not None
        assert decoder._process is not None
        with open(f"/proc/{decoder._process.pid}/environ", "rb") as environment:
            assert environment.read() == b""
        for number in (signal.SIGINT, signal.SIGTERM):
            decoder._process.send_signal(number)
        assert look(decoder, good) is not None
