"""Every part, made and joined: all in one process, or those of one role beside others, on one data folder."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

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
from pinfold.services.gauges import Gauges
from pinfold.services.health import HealthService
from pinfold.services.pins import CIDLocks, PinsService, Reconciler
from pinfold.services.threads import Threads
from pinfold.services.usage import Flusher, GatewayMeter, Measurer, RequestMeter, UsageService
from pinfold.services.usage.upkeep import prune_traffic
from pinfold.services.webhooks import Deliverer, WebhooksService
from pinfold.services.webhooks.upkeep import prune_events
from pinfold.settings import Settings
from pinfold.worker import Periodic, Upkeep, WebhookWorker, Worker

REFRESH_S: Final = 30.0
"""How long the space of files that a gc in another process removed may stay taken by this one."""
MEASURE_EVERY_S: Final = 3600.0  # the last of a day stands for it
PRUNE_EVERY_S: Final = 3600.0


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

        threads = Threads()
        stack.push_async_callback(threads.close)
        measurer = Measurer(database, node, threads)
        requests, traffic = RequestMeter(database), GatewayMeter(database)
        webhook_worker = WebhookWorker(
            Deliverer(
                database,
                owner=owner,
                allow_private=settings.allow_private_webhooks,
                disable_after=timedelta(days=settings.webhook_disable_after_days),
            )
        )
        if Role.WORKER in roles:
            upkeep = Upkeep(database, _periodic(settings, database, measurer), owner=owner)
            for one in (webhook_worker, upkeep):
                working.append(asyncio.create_task(one.run(settings.shutdown_grace_s)))
                stack.push_async_callback(_stop, one, working[-1])
        flusher = Flusher((requests, traffic))
        working.append(asyncio.create_task(flusher.run()))
        stack.push_async_callback(_stop, flusher, working[-1])

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
            webhooks=WebhooksService(database, webhook_worker.wake, allow_private=settings.allow_private_webhooks),
            usage=UsageService(database, node, threads, measurer, pin_name=PLATFORM_PIN_NAME),
            requests=requests,
            gauges=Gauges(database, node, threads),
            health=HealthService(database, engine, lambda: not any(task.done() for task in working)),
        )
        stack.push_async_callback(_cancel, asyncio.create_task(_refresh(node)))
        gateway = create_gateway(node, traffic)
        stack.push_async_callback(gateway.close)
        api = create_api(
            services,
            max_request_bytes=settings.effective_max_request_bytes,
            metrics_access=settings.metrics_access,
        )
        yield Parts(api=api, gateway=gateway, accounts=accounts, database=database)


def _periodic(settings: Settings, database: Database, measurer: Measurer) -> list[Periodic]:
    """What is done again and again: of all processes on one database, one does each."""
    return [
        Periodic("usage", MEASURE_EVERY_S, measurer.measure_now),
        Periodic("old-events", PRUNE_EVERY_S, lambda: prune_events(database, settings.webhook_events_days)),
        Periodic("old-traffic", PRUNE_EVERY_S, lambda: prune_traffic(database)),
    ]


class _Stoppable(Protocol):
    def stop(self) -> None: ...


async def _stop(worker: _Stoppable, working: asyncio.Task[None]) -> None:
    worker.stop()
    await working


async def _refresh(node: Node) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        await asyncio.to_thread(node.refresh)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
