"""Pictures are unpacked in a process of their own: whatever their bytes do there, this process keeps its memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

from pinfold.services.files.picture_process import ABANDON, SIDE
from pinfold.telemetry import fields, logger

log = logger("services.files")

WALL_S: Final = 20.0
"""How long one picture may take, twice what its processor time may be: the machine may be busy."""
_PROGRAM: Final = Path(__file__).with_name("picture_process.py")


class PictureDecoder:
    """A context manager that has a decoder process while pictures come, and starts a new one after a picture killed it.

    For one thread at a time.
    """

    def __init__(self, *, wall_s: float = WALL_S) -> None:
        self._wall_s = wall_s
        self._process: subprocess.Popen[bytes] | None = None

    def grey(self, chunks: Iterable[bytes | memoryview]) -> bytes | None:
        """The picture in grey, 32 by 32; None for what is no picture, unpacks to too much, or ends its decoder.

        Raises:  what ``chunks`` raises; OSError where no process can be started.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        process = self._process
        timer = threading.Timer(self._wall_s, process.kill)
        timer.daemon = True
        timer.start()
        try:
            return self._ask(process, chunks)
        except (BrokenPipeError, EOFError):
            timer.cancel()
            self.close()
            log.warning("a picture ended its decoder", **{fields.STATUS: process.returncode})
            return None
        finally:
            timer.cancel()

    @staticmethod
    def _ask(process: subprocess.Popen[bytes], chunks: Iterable[bytes | memoryview]) -> bytes | None:
        assert process.stdin is not None and process.stdout is not None
        try:
            for chunk in chunks:
                if len(chunk):
                    process.stdin.write(struct.pack(">I", len(chunk)))
                    process.stdin.write(chunk)
        except BrokenPipeError:
            raise
        except BaseException:
            process.stdin.write(struct.pack(">I", ABANDON))
            raise
        process.stdin.write(struct.pack(">I", 0))
        process.stdin.flush()
        match process.stdout.read(1):
            case b"N":
                return None
            case b"G":
                grey = process.stdout.read(SIDE * SIDE)
                if len(grey) == SIDE * SIDE:
                    return grey
        raise EOFError

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # what was not written yet is for nobody
        process.wait()

    def __enter__(self) -> PictureDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
