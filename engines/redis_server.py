"""A private Redis on a loopback port that keeps everything in memory: what it held is gone when it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from engines.foreground import Foreground, free_port
from engines.get_redis import REDIS
from engines.run_as import ServerFailed, User

WHERE_FROM = "no real Redis here; run make engines"
DATABASES = 64  # numbered stores in one server, one after another for tests that follow each other
PORT_TRIES = 5  # someone else may take a free port before the server does


def redis_is_here() -> bool:
    """Whether ``make engines`` has brought Redis."""
    return REDIS.exists()


class Redis:
    """One server; ``folder`` is only where it stands."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        """Prepare, without starting.  Raises: ServerFailed."""
        if not redis_is_here():
            raise ServerFailed(WHERE_FROM)
        self.folder = folder
        self.port = port
        self._running: Foreground | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Where its first database answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return when it takes connections.  Raises: ServerFailed."""
        given = self.port
        for attempt in range(PORT_TRIES):
            self.port = given or free_port()
            try:
                self._running = Foreground(
                    self._command(self.port),
                    ready="Ready to accept connections",
                    environment=os.environ,
                    folder=self.folder,
                    user=User(),
                )
                return
            except ServerFailed as exc:
                if given or "Address already in use" not in str(exc) or attempt == PORT_TRIES - 1:
                    raise

    def _command(self, port: int) -> list[str]:
        settings = {"port": str(port), "bind": "127.0.0.1", "dir": str(self.folder), "databases": str(DATABASES)}
        in_memory = {"save": "", "appendonly": "no", "daemonize": "no"}
        return [str(REDIS), *(word for key, value in (settings | in_memory).items() for word in (f"--{key}", value))]

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def crash(self) -> None:
        """Kill it where it stands."""
        self._end(signal.SIGKILL)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._running is not None:
            self._running.stop(with_signal)
            self._running = None

    def wait(self) -> str:
        """Block until the server ends, by itself or stopped by another thread, and return its last words."""
        running = self._running
        if running is None:
            return ""
        running.process.wait()
        return running.last_words()
