"""Whether the parts the platform stands on are well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from pinfold.core.errors import PinfoldError
from pinfold.db import Database, tokens
from pinfold.engine import Engine

_PATIENCE_S: Final = 5.0  # whoever asks must have an answer before its own patience ends


class HealthService:
    """Asks each part a small question."""

    def __init__(self, database: Database, engine: Engine, worker_is_running: Callable[[], bool]) -> None:
        self._database = database
        self._engine = engine
        self._worker_is_running = worker_is_running

    async def check(self) -> dict[str, str]:
        """Per part ``ok``, or a sentence about what is wrong."""
        return {
            "database": await _ask(self._database.everybody.read(tokens.count)),
            "engine": await _ask(self._engine.peers()),
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
