"""Every part, made and joined: all in one process, or those of one role beside others, on one data folder."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from pinfold.api import Services, create_api
from pinfold.app.roles import EVERY_ROLE, Role
from pinfold.core.pin import PLATFORM_PIN_NAME
from pinfold.db import Database
from pinfold.engine import Engine
from pinfold.engine.embedded import EmbeddedEngine
from pinfold.gateway import create_gateway
from pinfold.node import Node
from pinfold.services.accounts import AccountsService
from pinfold.services.files import FilesService, Intake
from pinfold.services.health import HealthService
from pinfold.services.pins import CIDLocks, PinsService, Reconciler
from pinfold.settings import Settings
from pinfold.worker import Worker

REFRESH_S: Final = 30.0
"""How long the space of files that a gc in another process removed may stay taken by this one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the servers run on."""

    api: ASGIApp
    gateway: ASGIApp
    accounts: AccountsService
    database: Database


@asynccontextmanager
async def assemble(
    settings: Settings, roles: frozenset[Role] = EVERY_ROLE, *, is_first: bool = True
) -> AsyncIterator[Parts]:
    """All parts, those of ``roles`` working; stopped in the opposite order, jobs and streams first, files last.

    ``is_first`` says that no other process runs on the data folder yet: what killed ones left is put right then.

    Raises:  what opening the data folder and the database raises.
    """
    async with AsyncExitStack() as stack:
        node = await asyncio.to_thread(Node, settings.data_dir)
        stack.push_async_callback(asyncio.to_thread, node.close)
        database = await asyncio.to_thread(Database, settings.effective_database_url)
        stack.push_async_callback(asyncio.to_thread, database.close)
        engine: Engine = EmbeddedEngine(node, pin_name=PLATFORM_PIN_NAME)
        stack.push_async_callback(engine.close)

        locks = CIDLocks()
        owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        reconciler = Reconciler(database, engine, locks, owner=owner)
        if is_first:
            await reconciler.catch_up()
        worker = Worker(reconciler, concurrency=settings.worker_concurrency)
        working: list[asyncio.Task[None]] = []
        if Role.WORKER in roles:
            working.append(asyncio.create_task(worker.run(settings.shutdown_grace_s)))
            stack.push_async_callback(_stop, worker, working[0])

        intake = Intake(
            node,
            pin_name=PLATFORM_PIN_NAME,
            max_file_bytes=settings.max_upload_bytes,
            max_concurrent=settings.max_concurrent_uploads,
        )
        stack.push_async_callback(intake.close)
        accounts = AccountsService(database)
        services = Services(
            accounts=accounts,
            files=FilesService(database, intake, locks, worker.wake),
            pins=PinsService(database, worker.wake),
            health=HealthService(database, engine, lambda: not any(task.done() for task in working)),
        )
        stack.push_async_callback(_cancel, asyncio.create_task(_refresh(node)))
        gateway = create_gateway(node)
        stack.push_async_callback(gateway.close)
        api = create_api(services, max_request_bytes=settings.effective_max_request_bytes)
        yield Parts(api=api, gateway=gateway, accounts=accounts, database=database)


async def _stop(worker: Worker, working: asyncio.Task[None]) -> None:
    worker.stop()
    await working


async def _refresh(node: Node) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        await asyncio.to_thread(node.refresh)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
