"""Repair: bad and missing blocks of pins are fetched again, verified, and put where they belong.

1. Everything is checked.
2. A damaged block gets sound bytes under the id that its pins know.
3. A pin that lacks blocks gets them, level by level: what a fetched block links to may be missing as well.
   Until the pin knows them, a session keeps them from gc.
4. What no block can mend (files, counters, journal) is looked at again and told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pinfold.core.cid import CID
from pinfold.core.errors import FetchFailed
from pinfold.core.pin import PinMode
from pinfold.node.block_ops import new_block
from pinfold.node.checks import check, pins_in_doubt, verify
from pinfold.node.model import Problem, ProblemKind, Progress, RepairReport
from pinfold.node.snapshot import take_snapshot
from pinfold.node.soundness import check_dag
from pinfold.node.trustless import TrustlessClient
from pinfold.store import Store
from pinfold.store.commit import GC_GENERATION
from pinfold.store.gc import FREED
from pinfold.store.pins import NewPin

_FLUSH_BLOCKS = 256  # fetched blocks that may wait to be durable


def repair(
    store: Store,
    gateway_urls: Sequence[str],
    progress: Callable[[Progress], None] | None = None,
    *,
    timeout_s: float = 15.0,
) -> RepairReport:
    """Mend what ``verify`` finds wrong, as far as the gateways have the blocks.

    Nothing of a gateway is trusted: a block counts when its bytes match its CID.  ``timeout_s`` is how long one may
    be silent.

    Raises:  InvalidInput for an address that is none, StoreFull.
    """
    with TrustlessClient(gateway_urls, timeout_s=timeout_s) as client:
        report = verify(store, progress)
        if report.ok:
            return RepairReport((), ())
        job = _Repair(store, client)
        for problem in report.problems:
            if problem.kind is ProblemKind.CORRUPT_BLOCK and problem.cid is not None:
                job.replace(problem, problem.cid)
        job.complete_pins()
    rest = check(store, hashing=False).problems
    failed = job.failed + [problem for problem in rest if problem.cid not in job.failed_cids]
    return RepairReport(tuple(job.repaired), tuple(failed))


class _Repair:
    def __init__(self, store: Store, client: TrustlessClient) -> None:
        self._store = store
        self._client = client
        self.repaired: list[CID] = []
        self.failed: list[Problem] = []
        self.failed_cids: set[CID] = set()

    def replace(self, problem: Problem, cid: CID) -> None:
        """Put a sound copy in the place of a damaged block."""
        try:
            block = self._client.block(cid)
        except FetchFailed as exc:
            self._fail(problem._replace(message=f"{problem.message}; {exc}"), cid)
            return
        if self._store.replace_corrupt(cid.multihash, block.data):
            self.repaired.append(cid)

    def complete_pins(self) -> None:
        """Fetch what pins lack, now that no damaged block hides what is below it."""
        snapshot = take_snapshot(self._store)
        try:
            doubtful = pins_in_doubt(snapshot)
        finally:
            snapshot.close()
        for root, row in doubtful:
            self._complete(root, recursive=row.mode is PinMode.RECURSIVE)

    def _complete(self, root: CID, *, recursive: bool) -> None:
        with self._store.writer() as writer:
            while True:
                found = check_dag(self._store, root, recursive=recursive, hashing=False)
                wanted = [cid for cid in map(CID.from_bytes, found.missing) if cid not in self.failed_cids]
                if not wanted:
                    break
                for count, cid in enumerate(wanted, 1):
                    try:
                        block = self._client.block(cid)
                    except FetchFailed as exc:
                        self._fail(Problem(ProblemKind.MISSING_BLOCK, str(exc), cid, (root,)), cid)
                        continue
                    writer.put([new_block(cid, block.data)])
                    self.repaired.append(cid)
                    if count % _FLUSH_BLOCKS == 0:
                        writer.flush()
                writer.flush()
            self._settle(root, recursive=recursive)
            writer.commit()

    def _settle(self, root: CID, *, recursive: bool) -> None:
        """Let a pin keep what is here of its DAG now, and say whether that is all."""
        catalogue, pins = self._store.catalogue, self._store.pins
        while True:
            with catalogue.read() as txn:
                generation = catalogue.number(txn, GC_GENERATION)
            found = check_dag(self._store, root, recursive=recursive, hashing=False)
            with catalogue.write() as txn:
                row = pins.row(txn, root)
                if row is None:
                    return
                freed = catalogue.ids(txn, FREED)
                if catalogue.number(txn, GC_GENERATION) != generation and not found.ids.isdisjoint(freed):
                    continue  # a gc swept what we walked over
                # What is below a block that is still damaged stays kept, though no walk comes there.
                hidden = (row.ids - freed) if found.bad or found.missing else found.ids
                complete = not found.missing and (row.complete or not found.bad)
                ids = found.ids | hidden
                if (ids, complete) != (row.ids, row.complete):
                    pins.put(txn, [NewPin(root, row.mode, row.name, row.created_at, row.profile, ids, complete)])
            return

    def _fail(self, problem: Problem, cid: CID) -> None:
        self.failed.append(problem)
        self.failed_cids.add(cid)
