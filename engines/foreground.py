"""One server process of ours: started, ready when it says so, its last words kept, ended for certain."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from engines.run_as import ServerFailed, User

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0  # then it is killed
LINES_KEPT = 60  # enough to see why a start failed, and no more memory however long it runs


class Foreground:
    """A child process that writes a line with ``ready`` in it when it serves."""

    def __init__(
        self, command: list[str], *, ready: str, environment: Mapping[str, str], folder: Path, user: User
    ) -> None:
        """Start it and return when it is ready.  Raises: ServerFailed, when it ends or stays silent."""
        self._lines: collections.deque[str] = collections.deque(maxlen=LINES_KEPT)
        self._settled = threading.Event()  # ready, or gone
        self._ready = False
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C at the terminal reaches us, who then end it in order
            user=user.name,
            group=user.group,
            extra_groups=user.extra_groups,
        )
        self._drain = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._drain.start()
        if not self._settled.wait(START_TIMEOUT_S) or not self._ready:
            self.stop(signal.SIGKILL)
            raise ServerFailed(f"{Path(command[0]).name} did not start: {self.last_words()}")

    def _read(self, ready: str) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.append(line.rstrip())
                if not self._ready and ready in line:
                    self._ready = True
                    self._settled.set()
        self._settled.set()

    def last_words(self) -> str:
        """Its last lines of log."""
        return " | ".join(self._lines)

    def freeze(self) -> None:
        """Stop it and its children with SIGSTOP: their connections stay open, and nothing answers any more."""
        self.process.send_signal(signal.SIGSTOP)  # first: it makes no children any more
        self._signal_children(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it and its children go on."""
        self._signal_children(signal.SIGCONT)
        self.process.send_signal(signal.SIGCONT)

    def _signal_children(self, number: signal.Signals) -> None:
        # Not the process group: a server may give each of its children one of its own.
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        for child in map(int, children.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    def stop(self, with_signal: signal.Signals) -> None:
        """Send the signal, wait, and kill what is still there; safe to call twice."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._drain.join(STOP_TIMEOUT_S)


def free_port() -> int:
    """A loopback TCP port that nobody holds right now; someone else may take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
