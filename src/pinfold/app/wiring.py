"""Every part, made and joined: all in one process, or those of one role beside others, on one data folder."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from starlette.types import ASGIApp

from pinfold.api import Services, create_api
from pinfold.api.pinning.delegates import delegate_of
from pinfold.api.status import create_status
from pinfold.app.belonging import require_belonging
from pinfold.app.roles import EVERY_ROLE, Role
from pinfold.core.pin import PLATFORM_PIN_NAME
from pinfold.db import Database, webhooks
from pinfold.db import upkeep as upkeep_rows
from pinfold.engine import Engine
from pinfold.engine.embedded import EmbeddedEngine
from pinfold.gateway import create_gateway
from pinfold.node import Node
from pinfold.node.retrieval.model import RetrievalSettings
from pinfold.node.retrieval.retriever import Retriever
from pinfold.services.accounts import AccountsService, Rates
from pinfold.services.accounts.members import MembersService
from pinfold.services.accounts.organisations import OrganisationsService
from pinfold.services.accounts.passwords import Passwords
from pinfold.services.accounts.projects import ProjectsService
from pinfold.services.accounts.sign_in import SignInService
from pinfold.services.accounts.tokens import TokensService
from pinfold.services.accounts.users import UsersService
from pinfold.services.audit import AuditService
from pinfold.services.background import BackgroundService
from pinfold.services.files import FilesService, Intake
from pinfold.services.files.resumable import ResumableUploads
from pinfold.services.files.similar import KIND as SIMILAR_FILES
from pinfold.services.files.similar import SimilarFiles
from pinfold.services.gauges import Gauges
from pinfold.services.health import HealthService
from pinfold.services.limits import LimitsService, RatesService
from pinfold.services.limits.counters import MemoryCounter, RedisCounter
from pinfold.services.pins import CIDLocks, Expiry, PinsService, Reconciler, Tiers
from pinfold.services.pins.bulk import BulkPins
from pinfold.services.pins.foreign_blocks import ForeignBlocks
from pinfold.services.pulse import Loops, Pulse
from pinfold.services.threads import Threads
from pinfold.services.usage import Flusher, GatewayMeter, Measurer, RequestMeter, UsageService
from pinfold.services.usage.upkeep import prune_traffic
from pinfold.services.webhooks import Deliverer, WebhooksService
from pinfold.services.webhooks.upkeep import prune_events
from pinfold.services.worker_presence import WorkerPresence
from pinfold.settings import Settings
from pinfold.worker import BackgroundRunner, Periodic, Upkeep, WebhookWorker, Worker

COMPARE_EVERY_S: Final = 3600.0
"""How long the content of an upload that was killed with its process may stay, where other processes went on."""
REFRESH_S: Final = 30.0
"""How long the space of files that a gc in another process removed may stay taken by this one."""
MEASURE_EVERY_S: Final = 3600.0  # the last of a day stands for it
PRUNE_EVERY_S: Final = 3600.0
EXPIRE_EVERY_S: Final = 30.0
SWEEP_EVERY_S: Final = 60.0
RELEASE_EVERY_S: Final = 60.0  # room in a quota that a dead process held


@dataclass(frozen=True, slots=True)
class Parts:
    """What the servers run on."""

    api: ASGIApp
    gateway: ASGIApp
    status: ASGIApp
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
        await asyncio.to_thread(require_belonging, settings.data_dir, node, database)
        await asyncio.to_thread(database.hold_reserve)
        retriever = await asyncio.to_thread(Retriever, node, _retrieval(settings))
        engine: Engine = EmbeddedEngine(
            node, pin_name=PLATFORM_PIN_NAME, retriever=retriever, fetches=settings.fetch_concurrency
        )
        stack.push_async_callback(engine.close)
        stack.push_async_callback(asyncio.to_thread, retriever.close)  # first: the engine waits for what it runs

        locks = CIDLocks(settings.data_dir / "locks")
        stack.callback(locks.close)
        owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        foreign = ForeignBlocks(database, node)
        reconciler = Reconciler(database, engine, locks, owner=owner, foreign=foreign)
        if is_first:
            await reconciler.release_all()
            for release in (webhooks.release_all, upkeep_rows.release_all):  # what a killed one held
                await database.everybody.write(release)
        worker = Worker(reconciler, concurrency=settings.worker_concurrency, fetches=settings.fetch_concurrency)
        loops = Loops()

        def begin(part: str, loop: _Loop, work: Coroutine[Any, Any, None]) -> None:
            task = asyncio.create_task(work)
            loops.watch(part, task, loop.pulse)
            stack.push_async_callback(_stop, loop, task)

        if Role.WORKER in roles:
            begin("worker", worker, worker.run(settings.shutdown_grace_s))
        if is_first:  # beside everything else: with millions of pins it takes minutes
            stack.push_async_callback(_cancel, asyncio.create_task(reconciler.catch_up()))

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
        flusher = Flusher((requests, traffic))
        begin("counts", flusher, flusher.run())

        intake = Intake(
            node,
            pin_name=PLATFORM_PIN_NAME,
            max_file_bytes=settings.max_upload_bytes,
            max_concurrent=settings.max_concurrent_uploads,
        )
        stack.push_async_callback(intake.close)
        tiers = Tiers(engine)
        accounts = AccountsService(database, administrator_email=settings.administrator_email)
        stack.push_async_callback(accounts.close)
        limits = LimitsService(database)
        stack.push_async_callback(limits.close)
        counter = RedisCounter(settings.redis_url) if settings.redis_url else MemoryCounter()
        rates = RatesService(counter, days=requests, anonymous=Rates(requests=settings.anonymous_requests or None))
        stack.push_async_callback(rates.close)
        passwords = Passwords()
        stack.push_async_callback(passwords.close)
        sign_in = SignInService(database, passwords, sign_up_is_open=settings.sign_up == "open")
        files = FilesService(
            database, node, intake, locks, limits, tiers, worker.wake, max_car_bytes=settings.max_car_bytes
        )
        resumable = ResumableUploads(
            database,
            files,
            limits,
            settings.data_dir / "uploads",
            max_bytes=settings.max_resumable_upload_bytes,
            lifetime=timedelta(hours=settings.resumable_upload_hours),
        )
        stack.push_async_callback(resumable.close)
        runner = BackgroundRunner(database, {SIMILAR_FILES: SimilarFiles(database, node).find}, owner=owner)
        background = BackgroundService(database, runner.wake)
        if Role.WORKER in roles:
            periodic = _periodic(settings, database, reconciler, measurer, worker, resumable, background)
            upkeep = Upkeep(database, periodic, owner=owner)
            for one in (webhook_worker, upkeep, runner):
                begin("worker", one, one.run(settings.shutdown_grace_s))
        services = Services(
            accounts=accounts,
            tokens=TokensService(database),
            sign_in=sign_in,
            users=UsersService(database, passwords, sign_in),
            members=MembersService(
                database, passwords, sign_in, invitations_make_users=settings.sign_up in ("invited", "open")
            ),
            organisations=OrganisationsService(database),
            projects=ProjectsService(database),
            audit=AuditService(database),
            limits=limits,
            rates=rates,
            files=files,
            resumable=resumable,
            background=background,
            pins=PinsService(database, tiers, worker.wake, allow_private_origins=settings.allow_private_origins),
            bulk_pins=BulkPins(database, tiers, worker.wake, allow_private_origins=settings.allow_private_origins),
            webhooks=WebhooksService(database, webhook_worker.wake, allow_private=settings.allow_private_webhooks),
            usage=UsageService(database, node, threads, measurer, pin_name=PLATFORM_PIN_NAME),
            requests=requests,
            gauges=Gauges(database, node, threads),
            health=HealthService(
                database,
                engine,
                loops,
                _written_to(settings.data_dir, database),
                workers=WorkerPresence(database, runs_here=Role.WORKER in roles),
                only_serves=roles == {Role.GATEWAY},
            ),
        )
        stack.push_async_callback(_cancel, asyncio.create_task(_refresh(node)))
        gateway = create_gateway(node, traffic)
        stack.push_async_callback(gateway.close)
        api = create_api(
            services,
            max_request_bytes=settings.effective_max_request_bytes,
            metrics_access=settings.metrics_access,
            trusted_proxies=settings.trusted_proxy_networks,
            delegates=[delegate_of(settings.effective_gateway_url)],
            gateway_url=settings.effective_gateway_url,
            upload_idle_timeout_s=settings.upload_idle_timeout_s,
            cors_origins=settings.cors_origins,
        )
        status = create_status(
            services, metrics_access=settings.metrics_access, trusted_proxies=settings.trusted_proxy_networks
        )
        yield Parts(api=api, gateway=gateway, status=status, accounts=accounts, database=database)


def _periodic(
    settings: Settings,
    database: Database,
    reconciler: Reconciler,
    measurer: Measurer,
    worker: Worker,
    resumable: ResumableUploads,
    background: BackgroundService,
) -> list[Periodic]:
    """What is done again and again: of all processes on one database, one does each."""
    expiry = Expiry(database, worker.wake, grace_s=settings.pin_expiry_grace_s)
    return [
        Periodic("expired-pins", EXPIRE_EVERY_S, expiry.run),
        Periodic("forgotten-pins", COMPARE_EVERY_S, reconciler.compare),
        Periodic("usage", MEASURE_EVERY_S, measurer.measure_now),
        Periodic("reservations", RELEASE_EVERY_S, lambda: LimitsService(database).release_expired()),
        Periodic("resumable-uploads", SWEEP_EVERY_S, resumable.sweep),
        Periodic("old-jobs", PRUNE_EVERY_S, background.prune),
        Periodic("old-sessions", PRUNE_EVERY_S, lambda: AccountsService(database).prune_sessions()),
        Periodic("old-events", PRUNE_EVERY_S, lambda: prune_events(database, settings.webhook_events_days)),
        Periodic("old-traffic", PRUNE_EVERY_S, lambda: prune_traffic(database)),
    ]


def _written_to(data_dir: Path, database: Database) -> list[Path]:
    """The folders on whose disks there must be room."""
    file = database.file
    return [data_dir] if file is None or file.parent == data_dir else [data_dir, file.parent]


class _Loop(Protocol):
    pulse: Pulse

    def stop(self) -> None: ...


def _retrieval(settings: Settings) -> RetrievalSettings:
    return RetrievalSettings(
        gateways=settings.fetch_from,
        routers=settings.fetch_routers,
        allow_private_origins=settings.allow_private_origins,
        silent_timeout_s=settings.fetch_silence_s,
        time_limit_s=settings.fetch_time_limit_s,
    )


async def _stop(worker: _Loop, working: asyncio.Task[None]) -> None:
    worker.stop()
    await working


async def _refresh(node: Node) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        await asyncio.to_thread(node.refresh)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
