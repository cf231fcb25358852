"""The platform as real processes on either database, as the jobs measure it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from engines.postgres_server import postgres_is_here
from tests.support.cli import Pinfold
from tests.support.postgres import postgres_server
from tests.support.up import ColdUp, Up

from bench.measure import BenchFailed
from bench.model import remove

DATABASES = ("SQLite", "PostgreSQL")


@dataclass(slots=True)
class Service:
    """``pinfold up``, or so many ``pinfold api`` and a worker, on a fresh data folder and database."""

    home: Path
    database: str
    settings: dict[str, str] = field(default_factory=dict)
    running: list[Up] = field(default_factory=list)
    token: str = ""
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self, *, apis: int = 0) -> None:
        """Start ``pinfold up``; with ``apis``, so many processes of that role instead, and a worker beside them."""
        remove(self.home)
        self.home.mkdir(parents=True)
        settings = {"log_level": "warning", **self.settings}
        if self.database == "PostgreSQL":
            if not postgres_is_here():
                raise BenchFailed("PostgreSQL is missing; run make engines first")
            settings["database_url"] = self._held.enter_context(postgres_server(durable=True)).create_database()
            self.pinfold("db", "upgrade", settings=settings)
        for role in ["api"] * apis + ["worker"] if apis else ["up"]:
            self.running.append(
                self._held.enter_context(ColdUp(Pinfold(self.home), role=role, token=self.token, **settings))
            )
            self.token = self.running[0].token

    def stop(self) -> None:
        """End it and remove what it had."""
        self._held.close()
        self.running = []
        remove(self.home)

    def pinfold(self, *words: str, settings: dict[str, str] | None = None) -> list[str]:
        """The lines that a ``pinfold`` command on the same data folder prints."""
        with environment({f"PINFOLD_{name.upper()}": value for name, value in (settings or {}).items()}):
            program = _WithSettings(self.home)
            return program(*words).lines

    def addresses(self, number: int = 1) -> list[tuple[str, int]]:
        """Where the first ``number`` APIs listen."""
        parts = [urlsplit(up.api_url) for up in self.running[:number]]
        return [(part.hostname or "", part.port or 0) for part in parts]

    def peak_bytes(self) -> int:
        """The most memory that any of its processes had."""
        return max(up.resident_bytes() for up in self.running)


class _WithSettings(Pinfold):
    """Keeps the settings of this process's environment."""

    @property
    def environment(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if name.startswith("PINFOLD_")}
        return {**super().environment, **given, "PINFOLD_DATA_DIR": str(self.data_dir)}


@contextlib.contextmanager
def environment(more: dict[str, str]) -> Iterator[None]:
    """More variables for the processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
