from __future__ import annotations

import asyncio

import pytest

from pinfold.core.cid import CID, DAG_PB
from pinfold.engine import TrackerStatus as T
from pinfold.services.pins import CIDLocks, Health, RequestStatus, summary

ROOT = CID.of(b"x", codec=DAG_PB, version=0)


@pytest.mark.parametrize(
    ("statuses", "factor_min", "expected"),
    [
        ([T.PINNED], 1, RequestStatus.PINNED),
        ([T.PINNED, T.PIN_ERROR], 1, RequestStatus.PINNED),
        ([T.PINNED, T.PIN_ERROR], 2, RequestStatus.FAILED),
        ([T.PINNED, T.PINNING], 2, RequestStatus.PINNING),
        ([T.PIN_QUEUED], 1, RequestStatus.PINNING),
        ([T.PIN_ERROR], 1, RequestStatus.FAILED),
        ([T.REMOTE, T.UNPINNED], 1, RequestStatus.FAILED),
        ([], 1, RequestStatus.FAILED),
    ],
)
def test_enough_pinned_peers_win_over_any_failure(statuses: list[T], factor_min: int, expected: RequestStatus) -> None:
    assert summary.request_status(statuses, factor_min) is expected


@pytest.mark.parametrize(
    ("healthy", "failed", "expected"),
    [(3, 0, Health.HEALTHY), (3, 1, Health.DEGRADED), (2, 0, Health.DEGRADED), (1, 0, Health.UNHEALTHY)],
)
def test_health_is_all_copies_enough_copies_or_too_few(healthy: int, failed: int, expected: Health) -> None:
    assert summary.health(healthy, failed, factor_min=2, factor_max=3) is expected


def test_a_cid_is_held_by_one_at_a_time_under_both_its_versions() -> None:
    async def go() -> list[str]:
        locks = CIDLocks()
        seen: list[str] = []

        async def work(name: str, cid: CID) -> None:
            async with locks.hold(cid):
                seen.append(f"{name} in")
                await asyncio.sleep(0)
                seen.append(f"{name} out")

        await asyncio.gather(work("a", ROOT), work("b", ROOT.to_v1()), work("c", ROOT))
        assert not locks._held
        return seen

    assert asyncio.run(go()) == ["a in", "a out", "b in", "b out", "c in", "c out"]


def test_other_cids_do_not_wait() -> None:
    async def go() -> None:
        locks = CIDLocks()
        async with locks.hold(ROOT), locks.hold(CID.of(b"y")):
            pass

    asyncio.run(go())
