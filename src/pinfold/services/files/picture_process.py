"""The program that unpacks pictures: a process of its own, with limits, so that a hostile picture ends only that.

``PictureDecoder`` starts it by its path.  It imports Pillow and nothing of this package, to start quickly and to stay
small, and gets no environment, in which there may be passwords.

Request:   chunks, each behind its length (4 bytes, big-endian); a length of 0 ends the picture, ``ABANDON`` drops it.
Answer:    ``b"G"`` and the picture in grey, 32 by 32; ``b"N"`` for what is no picture, damaged, or unpacks to too much.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import struct
import sys
import warnings
from typing import BinaryIO, Final

from PIL import Image, UnidentifiedImageError

SIDE: Final = 32
ABANDON: Final = 0xFFFFFFFF
MEMORY_BYTES: Final = 512 << 20
"""Address space: a file of 64 MiB, 40 million pixels of four channels twice over, and 64 MiB for the program."""
CPU_S: Final = 10
"""Of one picture; the largest that the memory allows takes about two."""
MAX_PIXELS: Final = 40_000_000  # 160 MB as Pillow keeps colours
_MAX_JPEG_PIXELS: Final = 200_000_000  # a JPEG is unpacked to an eighth of its sides
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")  # decoders that are exposed to strangers everywhere


def grey(data: bytes) -> bytes | None:
    """The picture in grey, on white, 32 by 32; None for what is no picture, is damaged, or unpacks to too much."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Image.MAX_IMAGE_PIXELS = None  # the limits here are lower, and by format
            with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
                most = _MAX_JPEG_PIXELS if opened.format == "JPEG" else MAX_PIXELS
                if opened.width * opened.height > most:
                    return None
                opened.draft("L", (SIDE * 4, SIDE * 4))
                image: Image.Image = opened
                if image.mode in ("RGBA", "LA", "PA", "P"):
                    # Smaller first, then on white: the other way would need the picture three times.
                    image = image.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
                    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
                return image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS).tobytes()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, Warning):
        return None
    except (MemoryError, OverflowError, TypeError, ArithmeticError, struct.error):
        return None


def main() -> None:
    """Answer until the other end closes."""
    for name in (signal.SIGINT, signal.SIGTERM):  # sent to all of a service at its stop; the end of the input ends this
        signal.signal(name, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while (data := _read(source)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_S, resource.RLIM_INFINITY))
        found = grey(data)
        del data  # while it waits for the next one
        answers.write(b"N" if found is None else b"G" + found)
        answers.flush()


def _read(source: BinaryIO) -> bytes | None:
    """The next whole picture; None at the end."""
    parts: list[bytes] = []
    while True:
        head = source.read(4)
        if len(head) < 4:
            return None
        (length,) = struct.unpack(">I", head)
        if length == 0:
            return b"".join(parts)
        if length == ABANDON:
            parts.clear()
            continue
        parts.append(source.read(length))


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, MemoryError):
        os._exit(1)
