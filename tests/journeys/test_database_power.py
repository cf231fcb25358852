"""What a commit answered is there after the process, or the database server, was cut off."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pinfold.db import Database
from tests.support.rows import add_pin, chain_breaks, names, totals
from tests.support.tenants import make_organisation

ROUNDS = 3
WRITES = 60  # answered before the cut

WRITER = """
import asyncio, sys
from pinfold.db import Database
from tests.support.rows import add_pin

async def work(url, organisation, prefix):
    database = Database(url)
    async def write_for_ever(lane):
        number = 0
        while True:
            name = f"{prefix}-{lane}-{number}"
            await database.of(organisation).write(add_pin, name)
            print(name, flush=True)
            number += 1
    await asyncio.gather(*(write_for_ever(lane) for lane in range(8)))

asyncio.run(work(*sys.argv[1:]))
"""


def test_what_was_answered_before_a_kill_is_there(database_url: str, tmp_path: Path) -> None:
    url = database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}"
    database = Database(url)
    ours = database.everybody.write_now(make_organisation, "ours")
    answered: set[str] = set()
    for turn in range(ROUNDS):
        command = [sys.executable, "-c", WRITER, url, ours, str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                answered.add(line.strip())
                if len(answered) == (turn + 1) * WRITES:
                    os.kill(process.pid, signal.SIGKILL)
                    break
            answered.update(line.strip() for line in process.stdout if line.endswith("\n"))
        kept = database.of(ours).read_now(names)
        assert answered <= set(kept)
        assert len(kept) == database.of(ours).read_now(totals).pins
        assert database.of(ours).read_now(chain_breaks) == []
    database.close()


@pytest.mark.postgres
def test_what_was_answered_before_the_server_lost_power_is_there() -> None:
    from tests.support.postgres import postgres_server

    with postgres_server(durable=True) as server:
        url = server.create_database()
        database = Database(url, may_upgrade=True)
        ours = database.everybody.write_now(make_organisation, "ours")
        answered: list[str] = []
        cut = threading.Thread(target=server.crash)

        async def work() -> None:
            async def write_for_ever(lane: int) -> None:
                for number in range(100_000):
                    name = f"{lane}-{number}"
                    try:
                        await database.of(ours).write(add_pin, name)
                    except Exception:  # noqa: BLE001 - the server is gone, as the test wants it
                        return
                    answered.append(name)
                    if len(answered) == WRITES:
                        cut.start()

            await asyncio.gather(*(write_for_ever(lane) for lane in range(8)))

        asyncio.run(asyncio.wait_for(work(), 60))
        cut.join()  # it serves again
        again = Database(url)
        kept = again.of(ours).read_now(names)
        assert set(answered) <= set(kept)
        assert len(answered) >= WRITES
        assert len(kept) == again.of(ours).read_now(totals).pins
        assert again.of(ours).read_now(chain_breaks) == []
        again.close()
        database.close()
