"""Who fetches what next.  Like the frontier, it neither waits nor locks: the retrieval's lock is held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from pinfold.core.cid import CID
from pinfold.node.retrieval.frontier import Found, Frontier, Wanted, key_of
from pinfold.node.retrieval.pool import SourcePool
from pinfold.node.retrieval.source import Source

_BRANCH_LINKS: Final = 16  # from so many missing links on a CAR is worth a request of its own


class Branch(NamedTuple):
    """A block below which most is missing, so that a CAR of it pays; and who was asked for it already, by URL."""

    cid: bytes
    tried: frozenset[str] = frozenset()


class Query(NamedTuple):
    """A question to one router."""

    router: str
    cid: CID


class Single(NamedTuple):
    """One block, from one source."""

    source: Source
    key: bytes
    wanted: Wanted


class Stream(NamedTuple):
    """A CAR, from one source."""

    source: Source
    branch: Branch


Task = Query | Single | Stream


class Schedule:
    """What is to be done in one retrieval, and what was tried."""

    def __init__(self, frontier: Frontier, pool: SourcePool, routers: Sequence[str], root: CID) -> None:
        self._frontier = frontier
        self._pool = pool
        self._routers = routers
        self._asked: set[bytes] = set()
        self._queries: list[Query] = []
        self._branches: list[Branch] = []
        self._streamed: set[bytes] = set()  # keys of the branches that are streamed now
        self._tried: defaultdict[bytes, set[str]] = defaultdict(set)  # by key: sources that do not have it
        self.ask_routers(root)

    def ask_routers(self, cid: CID) -> bool:
        """Have every router asked who has a block; False where that was done before, or there is none."""
        key = key_of(cid.bytes)
        if key in self._asked or not self._routers:
            return False
        self._asked.add(key)
        self._queries = [Query(router, cid) for router in self._routers]
        return True

    @property
    def has_task(self) -> bool:
        """Whether somebody who is free could do something now."""
        ready = self._pool.ready()
        return bool(self._queries) or any(self._branch_for(it) or self._single_for(it) for it in ready)

    def next_task(self) -> Task | None:
        """Something to do, which is nobody else's then; None where there is nothing now."""
        if self._queries:
            return self._queries.pop()
        for source in self._pool.ready():
            branch = self._branch_for(source)
            if branch is not None:
                self._branches.remove(branch)
                self._streamed.add(key_of(branch.cid))
                source.streaming = True
                return Stream(source, branch)
            key = self._single_for(source)
            if key is not None:
                wanted = self._frontier.claim(key)
                assert wanted is not None
                return Single(source, key, wanted)
        return None

    def _branch_for(self, source: Source) -> Branch | None:
        if not source.offers_car or not self._frontier.has_room:
            return None
        return next((branch for branch in reversed(self._branches) if source.url not in branch.tried), None)

    def _single_for(self, source: Source) -> bytes | None:
        """A block to ask this source for: of those that were found last, so that few are known and missing."""
        poor = source.is_poor and any(not other.is_poor for other in self._pool.live)

        def may_have(key: bytes) -> bool:
            tried = self._tried.get(key, ())
            return source.url not in tried and (bool(tried) or not poor)

        return self._frontier.latest(may_have)

    # -- what came of it -------------------------------------------------------------------------------------------

    def add_branch(self, cid: bytes) -> None:
        """Have a CAR fetched of what is below a block, where somebody makes one."""
        self._branches.append(Branch(cid))

    def consider_branch(self, cid: bytes, found: Found) -> None:
        """A block that came alone, or was here, may have most of its links missing: then a CAR of it pays."""
        pays = found.missing >= _BRANCH_LINKS and 2 * found.missing > found.links
        if pays and key_of(cid) not in self._streamed:
            self.add_branch(cid)

    def stream_ended(self, task: Stream, *, again: bool) -> None:
        """A source is done with a CAR; ``again`` lets the others be asked for it."""
        task.source.streaming = False
        self._streamed.discard(key_of(task.branch.cid))
        if again:
            self._branches.append(task.branch._replace(tried=task.branch.tried | {task.source.url}))

    def missed(self, task: Single) -> None:
        """A source does not have a block."""
        self._tried[task.key].add(task.source.url)
        self._frontier.give_back(task.key, stuck=self._all_lack(task.key))

    def came(self, key: bytes) -> None:
        """A block is here."""
        self._tried.pop(key, None)

    def source_went(self) -> None:
        """A source is asked no more: some blocks waited for it alone."""
        for key in self._tried:
            if key in self._frontier.wanted and self._all_lack(key):
                self._frontier.stuck[key] = self._frontier.wanted.pop(key)

    def _all_lack(self, key: bytes) -> bool:
        tried = self._tried.get(key, ())
        return all(source.url in tried for source in self._pool.live)
