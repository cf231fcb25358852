"""The program as a user has it: a real process on a real data folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.warm import MOST_INPUT_BYTES, WARM, Ended

TIMEOUT_S = 120  # far more than any of these take, on the slowest machine


class Answer(NamedTuple):
    """How a process ended."""

    code: int
    stdout: bytes
    err: str

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """The one JSON value that was printed."""
        return json.loads(self.stdout)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]


class Pinfold:
    """Runs ``pinfold`` in a folder of its own, on one data folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data_dir = home / "data"
        self.work = home / "work"
        self.work.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PINFOLD_")}
        return {
            **kept,
            "PINFOLD_DATA_DIR": str(self.data_dir),
            "PINFOLD_FETCH_ROUTERS": "off",  # no test reaches the network
            "HOME": str(self.home),
            "PYTHONUNBUFFERED": "",
        }

    def command(self, *args: str) -> list[str]:
        """The whole command line, for tests that start it themselves."""
        return [sys.executable, "-m", "pinfold", *args]

    def __call__(
        self, *args: str, stdin: bytes = b"", code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> Answer:
        """Run to the end, in a process that has loaded already; another exit code than ``code`` fails the test.

        None takes any; ``env`` is added to the environment.
        """
        done = self._run(args, stdin, {**self.environment, **(env or {})})
        answer = Answer(done.returncode, done.stdout, done.stderr.decode())
        if code is not None:
            assert answer.code == code, (args, answer)
        assert "Traceback" not in answer.err, answer.err
        return answer

    def _run(
        self, args: tuple[str, ...], stdin: bytes, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes] | Ended:
        if sum(map(len, args)) + len(stdin) <= MOST_INPUT_BYTES:
            return WARM.run(args, input=stdin, cwd=self.work, env=env, timeout_s=TIMEOUT_S)
        return subprocess.run(
            self.command(*args),
            input=stdin,
            capture_output=True,
            cwd=self.work,
            env=env,
            timeout=TIMEOUT_S,
            check=False,
        )

    def add(self, *args: str, stdin: bytes = b"") -> str:
        """Add something and give the root's CID."""
        return self("add", "-Q", *args, stdin=stdin).lines[-1]

    def write(self, name: str, data: bytes) -> Path:
        """A file in the working folder."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def damage(self, data: bytes) -> None:
        """Flip one bit of stored bytes, as a bad disk does."""
        for segment in (self.data_dir / "segments").glob("*.car"):
            stored = bytearray(segment.read_bytes())
            at = stored.find(data)
            if at >= 0:
                stored[at] ^= 1
                with segment.open("r+b") as file:
                    file.write(stored)
                return
        raise AssertionError(f"{data[:20]!r} is in no segment")
