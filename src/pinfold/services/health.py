"""Whether the parts the platform stands on are well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from pinfold.core.errors import PinfoldError
from pinfold.db import Database, tokens, upgrade, upkeep
from pinfold.engine import Engine

_PATIENCE_S: Final = 5.0  # whoever asks must have an answer before its own patience ends
_FRESH_S: Final = 1.0


class HealthService:
    """Asks each part a small question."""

    def __init__(self, database: Database, engine: Engine, worker_is_running: Callable[[], bool]) -> None:
        self._database = database
        self._engine = engine
        self._worker_is_running = worker_is_running
        self._lock = asyncio.Lock()
        self._readiness: tuple[float, dict[str, str]] | None = None

    async def check(self) -> dict[str, str]:
        """Per part ``ok``, or a sentence about what is wrong."""
        return await self._check(database=self._database.everybody.read(tokens.count))

    async def ready(self) -> dict[str, str]:
        """The same, and whether the database has this version's schema and can be written to.

        Anybody may ask, so that the answer of a moment ago is given again.
        """
        async with self._lock:
            if self._readiness is None or time.monotonic() - self._readiness[0] > _FRESH_S:
                checks = await self._check(
                    migrations=asyncio.to_thread(upgrade.require_newest, self._database.engine),
                    database=self._database.everybody.write(upkeep.touch),
                )
                self._readiness = time.monotonic(), checks
            return self._readiness[1]

    async def _check(self, **questions: Awaitable[object]) -> dict[str, str]:
        questions["engine"] = self._engine.peers()
        said = await asyncio.gather(*map(_ask, questions.values()))
        return {
            **dict(zip(questions, said, strict=True)),
            "worker": "ok" if self._worker_is_running() else "it has stopped; pins stay queued",
        }


async def _ask(question: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(question, _PATIENCE_S)
    except TimeoutError:
        return f"no answer within {_PATIENCE_S:g} s"
    except (PinfoldError, SQLAlchemyError) as exc:
        return str(exc).splitlines()[0]
    return "ok"
