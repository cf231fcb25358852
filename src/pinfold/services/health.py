"""Whether the parts the platform stands on are well."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from pinfold.core.errors import PinfoldError, StoreFull
from pinfold.db import Database, schema, tokens, upkeep
from pinfold.engine import Engine
from pinfold.services.pulse import Loops
from pinfold.services.worker_presence import WorkerPresence

_PATIENCE_S: Final = 5.0  # whoever asks must have an answer before its own patience ends
_FRESH_S: Final = 1.0
_LEAST_FREE_BYTES: Final = 8 << 20  # less than an upload, its catalogue and a database's log soon take
_TRIAL_BYTES: Final = 64 * 1024


class HealthService:
    """Asks each part a small question."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        loops: Loops,
        folders: Sequence[Path] = (),
        *,
        workers: WorkerPresence | None = None,
        only_serves: bool = False,
        least_free_bytes: int = _LEAST_FREE_BYTES,
    ) -> None:
        """``folders`` are those that are written to, on whose disks there must be some room.

        A process that ``only_serves`` content is ready without the database and without room: it needs neither, and
        must not be taken out of service for them.
        """
        self._database = database
        self._engine = engine
        self._loops = loops
        self._folders = folders
        self._workers = workers
        self._only_serves = only_serves
        self._least_free_bytes = least_free_bytes
        self._lock = asyncio.Lock()
        self._readiness: tuple[float, dict[str, str]] | None = None

    async def check(self) -> dict[str, str]:
        """Per part ``ok``, or a sentence about what is wrong."""
        checks = await self._check(database=self._database.everybody.read(tokens.count))
        if (problem := await self.no_worker()) is not None:
            checks["worker"] = problem
        return checks

    async def no_worker(self) -> str | None:
        """A sentence where nothing that is queued is carried out, since no process is a worker; else None."""
        return None if self._workers is None or self._only_serves else await self._workers.problem()

    async def ready(self) -> dict[str, str]:
        """The same, whether the database has this version's schema and can be written to, and the disk as well:
        all that this process cannot work without.

        Anybody may ask, so that the answer of a moment ago is given again.
        """
        async with self._lock:
            if self._readiness is None or time.monotonic() - self._readiness[0] > _FRESH_S:
                self._readiness = time.monotonic(), await self._check(**self._needs())
            return self._readiness[1]

    def _needs(self) -> dict[str, Awaitable[object]]:
        if self._only_serves:
            return {}
        return {
            "migrations": asyncio.to_thread(schema.require_newest, self._database.engine),
            "database": self._database.everybody.write(upkeep.touch),
            "disk": asyncio.to_thread(self._require_room),
        }

    def _require_room(self) -> None:
        for folder in self._folders:
            try:
                found = os.statvfs(folder)
                with tempfile.TemporaryFile(dir=folder) as trial:  # free room alone says nothing of a quota
                    trial.write(bytes(_TRIAL_BYTES))
            except OSError as exc:
                raise StoreFull(f"nothing can be written where data is kept: {exc.strerror}") from exc
            free_bytes = found.f_bavail * found.f_frsize
            if free_bytes < self._least_free_bytes:
                raise StoreFull(
                    f"the disk is full: {free_bytes >> 20:,} MiB are free where data is kept, "
                    f"and less than {self._least_free_bytes >> 20:,} are not enough to take anything"
                )

    async def _check(self, **questions: Awaitable[object]) -> dict[str, str]:
        questions["engine"] = self._engine.peers()
        said = await asyncio.gather(*map(_ask, questions.values()))
        checks = dict(zip(questions, said, strict=True))
        if self._database.is_damaged and not self._only_serves:  # a small question may not meet it again
            checks["database"] = "it is damaged: queries of this process could not read some of it"
        return {**checks, **self._loops.check()}


async def _ask(question: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(question, _PATIENCE_S)
    except TimeoutError:
        return f"no answer within {_PATIENCE_S:g} s"
    except (PinfoldError, SQLAlchemyError) as exc:
        return str(exc).splitlines()[0]
    return "ok"
