"""The services of administrators' commands that need the node: files and usage.

They stand by themselves since the node, its engine and HTTP take as long to load as the rest of a command.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from pinfold.core.pin import PLATFORM_PIN_NAME
from pinfold.db import Database
from pinfold.engine.embedded import EmbeddedEngine
from pinfold.node import Node
from pinfold.services.files import FilesService, Intake
from pinfold.services.limits import LimitsService
from pinfold.services.pins import CIDLocks, Tiers
from pinfold.services.threads import Threads
from pinfold.services.usage import Measurer, UsageService
from pinfold.settings import Settings


async def open_files(database: Database, settings: Settings, stack: AsyncExitStack) -> FilesService:
    """Files, until ``stack`` is closed.  Nobody is woken by a change: a worker looks by itself."""
    node = await _node(settings, stack)
    engine = EmbeddedEngine(node, pin_name=PLATFORM_PIN_NAME)
    stack.push_async_callback(engine.close)
    intake = Intake(node, pin_name=PLATFORM_PIN_NAME, max_file_bytes=0, max_concurrent=1)
    stack.push_async_callback(intake.close)
    locks = CIDLocks(settings.data_dir / "locks")
    stack.callback(locks.close)
    limits = LimitsService(database)
    stack.push_async_callback(limits.close)
    return FilesService(database, node, intake, locks, limits, Tiers(engine), lambda: None)


async def open_usage(database: Database, settings: Settings, stack: AsyncExitStack) -> UsageService:
    """Usage, until ``stack`` is closed."""
    node = await _node(settings, stack)
    threads = Threads(1)
    stack.push_async_callback(threads.close)
    measurer = Measurer(database, node, threads)
    return UsageService(database, node, threads, measurer, pin_name=PLATFORM_PIN_NAME)


async def _node(settings: Settings, stack: AsyncExitStack) -> Node:
    node = await asyncio.to_thread(Node, settings.data_dir)
    stack.push_async_callback(asyncio.to_thread, node.close)
    return node
