"""``pinfold up``: everything in one process until a signal stops it.

1. Take the data folder, bind both addresses: what cannot work fails here, with a sentence, and nothing was touched.
2. Assemble the parts, the database brought to this version's schema, work left over by a killed process marked.
3. Serve; make the owner's token where there is none; say where everything is.
4. At SIGTERM or SIGINT: no new connections; running requests finish within the grace period; then the worker, then
   the files.  A second signal does not wait.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

import uvloop

from pinfold.app import listen
from pinfold.app.banner import banner
from pinfold.app.only_one import only_one
from pinfold.app.wiring import assemble
from pinfold.settings import Settings
from pinfold.telemetry import configure, logger

log = logger("app")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_up(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; ``announce`` is called once, with the banner, when requests are answered.

    Raises:  PinfoldError (an address in use), InvalidSetting, StoreInUse (a second ``up``), StoreError and its kinds.
    """
    configure(settings.log_level, settings.log_format)
    with only_one(settings.data_dir):
        with listen.bind(settings.gateway_bind, "gateway_address") as gateway_socket:
            with listen.bind(settings.api_bind, "api_address") as api_socket:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(_serve(settings, api_socket, gateway_socket, announce))


async def _serve(
    settings: Settings, api_socket: socket.socket, gateway_socket: socket.socket, announce: Callable[[str], None]
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    async with assemble(settings) as parts:
        servers = [listen.server(app, settings.shutdown_grace_s) for app in (parts.api, parts.gateway)]
        sockets = (api_socket, gateway_socket)
        serving = [asyncio.create_task(one.serve(sockets=[sock])) for one, sock in zip(servers, sockets, strict=True)]
        while not all(one.started for one in servers) and not any(task.done() for task in serving):
            await asyncio.sleep(0.01)
        token = await parts.accounts.make_owner_token()
        announce(
            banner(
                settings,
                api=listen.bound_address(api_socket, settings.api_bind),
                gateway=listen.bound_address(gateway_socket, settings.gateway_bind),
                token=token,
            )
        )
        first = asyncio.create_task(stopping.wait())
        await asyncio.wait([first, *serving], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        _hurry_at_second_signal(loop, servers)
        for one in servers:
            one.should_exit = True
        await asyncio.gather(*serving)
        first.cancel()
    log.info("stopped")


def _hurry_at_second_signal(loop: asyncio.AbstractEventLoop, servers: list[listen.QuietServer]) -> None:
    def hurry() -> None:
        for one in servers:
            one.force_exit = True

    for number in _SIGNALS:
        loop.add_signal_handler(number, hurry)
