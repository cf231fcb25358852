"""A server of ``engines.serve`` as a child process that cannot outlive the tests."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 60.0  # twice what the server itself may take to end


class Served:
    """One running server; ``url`` is where it answers."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        """Wait until ``process`` says its URL.  Raises: AssertionError with its words, when it ends instead."""
        self._process = process
        self._errors = errors
        self.url = self._next_url()

    def _next_url(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise AssertionError(f"the server did not start: {self._errors.read()}")
        return line

    def crash(self) -> None:
        """Cut the server off as a power cut would, and return when it serves again, at the same URL."""
        self._tell("crash")
        assert self._next_url() == self.url

    def halt(self) -> None:
        """Stop the server in order, until ``resume``."""
        self._tell("halt")
        assert self._next_url() == "halted"

    def resume(self) -> None:
        """Return when it serves again, at the same URL."""
        self._tell("resume")
        assert self._next_url() == self.url

    def freeze(self) -> None:
        """Stop the server's processes where they are, until ``thaw``: connections stay open, nothing answers."""
        self._tell("freeze")
        assert self._next_url() == "frozen"

    def thaw(self) -> None:
        """Let them go on."""
        self._tell("thaw")
        assert self._next_url() == "thawed"

    def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def served(engine: str, *flags: str) -> Iterator[Served]:
    """Run ``engines.serve ENGINE FLAGS`` for the length of the block; its folder goes with it."""
    command = [sys.executable, "-m", "engines.serve", engine, "--attended", *flags]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield Served(process, errors)
        finally:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # how it is told to end
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
