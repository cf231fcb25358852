"""One process of the platform: all of it (``pinfold up``) or one role, until a signal stops it.

1. Take the data folder, bind the addresses: what cannot work fails here, with a sentence, and nothing was touched.
2. Assemble the parts, an SQLite database brought to this version's schema, work left over by killed processes marked.
3. Let other roles in, serve; make the owner's token where there is none; say where everything is.
4. At SIGTERM or SIGINT: no new connections; uploads that have stalled are dropped, running requests finish within the
   grace period; then the worker, then the files.  A second signal does not wait.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack

import uvloop

from pinfold.app import hold, listen
from pinfold.app.banner import banner
from pinfold.app.doors import Door, doors
from pinfold.app.first_token import FirstToken, make_first_token
from pinfold.app.roles import EVERY_ROLE, Role
from pinfold.app.wiring import assemble
from pinfold.http.descriptors import connections_for_each, raise_limit
from pinfold.http.listener import Listener
from pinfold.http.refusal import as_json, as_text
from pinfold.settings import Settings, unknown_in_environment
from pinfold.telemetry import configure, fields, logger

log = logger("app")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(
    settings: Settings,
    roles: frozenset[Role] = EVERY_ROLE,
    *,
    announce: Callable[[str], None],
    on_terminal: bool = False,
) -> None:
    """Run until SIGTERM or SIGINT; ``announce`` is called once, with the banner, when requests are answered.

    Only a banner that a person reads ``on_terminal`` has the first token; else it is in a file that the banner names.
    Every role at once needs the data folder alone; a process of fewer roles shares it with others.

    Raises:  PinfoldError (an address in use), InvalidSetting, StoreInUse, StoreError and its kinds.
    """
    configure(settings.log_level, settings.log_format, file=settings.log_to)
    for name in unknown_in_environment():
        log.warning("no such setting", **{fields.SETTING: name})
    with ExitStack() as stack:
        take = hold.alone if roles == EVERY_ROLE else hold.beside_others
        held = stack.enter_context(take(settings.data_dir))
        sockets = {
            door: stack.enter_context(listen.bind(address, door)) for door, address in doors(settings, roles).items()
        }
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        runner.run(_serve(settings, roles, held, sockets, announce, on_terminal))


async def _serve(
    settings: Settings,
    roles: frozenset[Role],
    held: hold.Hold,
    sockets: dict[Door, socket.socket],
    announce: Callable[[str], None],
    on_terminal: bool,
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    addresses = {door: listen.bound_address(sockets[door], address) for door, address in doors(settings, roles).items()}
    if Door.GATEWAY in addresses:  # what the API tells of it is where it really is
        settings = settings.model_copy(update={"gateway_address": str(addresses[Door.GATEWAY])})
    async with assemble(settings, roles, is_first=held.is_first) as parts:
        if roles != EVERY_ROLE and held.is_first:
            held.share()
        apps = {Door.API: parts.api, Door.GATEWAY: parts.gateway, Door.STATUS: parts.status}
        servers = {
            door: listen.server(apps[door], _listener(door, settings, len(sockets)), settings.shutdown_grace_s)
            for door in sockets
        }
        serving = [asyncio.create_task(one.serve(sockets=[sockets[door]])) for door, one in servers.items()]
        while not all(one.started for one in servers.values()) and not any(task.done() for task in serving):
            await asyncio.sleep(0.01)
        if Door.API in addresses and not settings.trusted_proxies:
            log.info(
                "behind a proxy, set PINFOLD_TRUSTED_PROXIES: without it all its clients share one address's limits"
            )
        first_token = FirstToken()
        if Role.API in roles:
            first_token = await make_first_token(parts.accounts, settings.data_dir, on_terminal=on_terminal)
        announce(banner(settings, roles, addresses, token=first_token.shown, token_file=first_token.file))
        first = asyncio.create_task(stopping.wait())
        await asyncio.wait([first, *serving], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        parts.database.hurry()
        _hurry_at_second_signal(loop, list(servers.values()))
        for one in servers.values():
            one.should_exit = True
        await asyncio.gather(*serving)
        first.cancel()
    log.info("stopped")


def _listener(door: Door, settings: Settings, listeners: int) -> Listener:
    connections = connections_for_each(settings.max_connections, listeners, raise_limit())
    if connections < settings.max_connections:
        log.warning("the limit of open files allows fewer connections", **{fields.CONNECTIONS: connections})
    return listen.listener(
        door.name.lower(),
        as_text if door is Door.GATEWAY else as_json,
        connections=connections,
        send_silence_s=settings.download_idle_timeout_s,
        exempt=settings.trusted_proxy_networks,
    )


def _hurry_at_second_signal(loop: asyncio.AbstractEventLoop, servers: list[listen.QuietServer]) -> None:
    def hurry() -> None:
        for one in servers:
            one.force_exit = True

    for number in _SIGNALS:
        loop.add_signal_handler(number, hurry)
