from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from pinfold.core.cid import CID
from pinfold.services.pins import CIDLocks
from tests.support.platform import PATIENCE_S, run

ROOT, OTHER = CID.of(b"\x0a\x00", codec=0x70), CID.of(b"other")

HOLDER = """
import asyncio, sys
from pathlib import Path
from pinfold.core.cid import CID
from pinfold.services.pins import CIDLocks

async def hold():
    async with CIDLocks(Path(sys.argv[1])).hold(CID.parse(sys.argv[2])):
        print("held", flush=True)
        sys.stdin.read()

asyncio.run(hold())
"""


def holder(folder: Path, cid: CID) -> subprocess.Popen[str]:
    """Another process, which holds a CID until its standard input ends, or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), str(cid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_one_holds_a_cid_at_a_time_whatever_its_form(tmp_path: Path) -> None:
    async def go() -> None:
        locks = CIDLocks(tmp_path)
        order: list[str] = []

        async def second() -> None:
            async with locks.hold(ROOT.to_v0()):
                order.append("second")

        async with locks.hold(ROOT):
            waiting = asyncio.create_task(second())
            async with locks.hold(OTHER):
                await asyncio.sleep(0.02)
            order.append("first")
        await waiting
        assert order == ["first", "second"]
        locks.close()

    run(go())


def test_a_cid_that_another_process_holds_is_waited_for_and_no_other(tmp_path: Path) -> None:
    async def go() -> None:
        locks = CIDLocks(tmp_path)
        with holder(tmp_path, ROOT) as process:
            async with asyncio.timeout(PATIENCE_S), locks.hold(OTHER):
                pass
            waiting = asyncio.create_task(_once(locks))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            process.kill()
            async with asyncio.timeout(PATIENCE_S):
                await waiting
        locks.close()

    run(go())


def test_whoever_gives_up_waiting_leaves_nothing_held(tmp_path: Path) -> None:
    async def go() -> None:
        locks = CIDLocks(tmp_path)
        with holder(tmp_path, ROOT) as process:
            waiting = asyncio.create_task(_once(locks))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.wait([waiting])
            process.communicate("")
        with holder(tmp_path, ROOT) as process:
            process.communicate("")
        async with asyncio.timeout(PATIENCE_S):
            await _once(locks)
        locks.close()

    run(go())


async def _once(locks: CIDLocks) -> None:
    async with locks.hold(ROOT):
        pass
