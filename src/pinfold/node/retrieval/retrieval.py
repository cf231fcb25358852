"""One retrieval: several threads fetch, each block is verified, and the DAG is pinned once all of it is here.

1. The root's links are followed through what is here; what is missing is *wanted*.
2. Workers fetch: a CAR of a whole branch where a source makes them and most of the branch is missing, else block by
   block, from several sources at once.  One source has one CAR at a time; the others begin at the other end meanwhile.
3. A block counts when its bytes match its CID and something verified links to it.  Its links are followed in turn.
4. What came is flushed now and then: a process that is killed finds it again, by walking from the root.
5. When nothing is wanted any more the DAG is pinned.  Until then the writer's session keeps all of it from gc.

A retrieval that ends early keeps what came, unpinned, for the next one; gc may take it.  Where the next one would end
the same way (a quota, a DAG that cannot be read) it is taken back at once.

The thread that called waits, flushes, and watches time, stop and progress.  One lock guards all that is shared; it is
never held over a request, a hash or a write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, NamedTuple

import httpx
from pyroaring import BitMap

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, multihash_of
from pinfold.core.car import record_prefix
from pinfold.core.cid import CID
from pinfold.core.errors import (
    AddressRefused,
    FetchFailed,
    InvalidInput,
    MalformedBlock,
    PinfoldError,
    QuotaExceeded,
    Stopped,
    StoreError,
    TimedOut,
)
from pinfold.core.pin import PinMode
from pinfold.node.gateway_http import shown
from pinfold.node.retrieval.branch import fetch_branch
from pinfold.node.retrieval.frontier import Found, Frontier, Wanted, has_links
from pinfold.node.retrieval.model import RetrievalProgress, RetrievalSettings, Retrieved
from pinfold.node.retrieval.pool import NAME_SOMEBODY, SourcePool
from pinfold.node.retrieval.schedule import Query, Schedule, Single, Stream, Task
from pinfold.node.retrieval.source import Lacks, Lied, OffersNoCar, Source
from pinfold.node.retrieval.transfers import Transfers
from pinfold.store import Store
from pinfold.store.rows import tag_of_cid
from pinfold.store.writer import NewBlock, Writer

FLUSH_BYTES: Final = 128 << 20
FLUSH_BLOCKS: Final = 16_384  # one transaction's worth
_FLUSH_SECONDS: Final = 5.0  # a slow retrieval loses no more than that to a power cut
_FLUSH_LOOK_UPS: Final = 1 << 18  # the writer remembers each until the next flush
_TICK_S: Final = 0.1  # how soon a stop or a time limit is noticed
_HASHERS: Final = 2  # for CARs: one thread reads, and hashing lets go of the interpreter
_MAX_STUCK: Final = 1000  # blocks that nobody has, until the rest is not tried any more
_STRAY_WAIT_S: Final = 0.5  # for threads that wait for a source that has not begun to answer; they can do no harm


class Arrival(NamedTuple):
    """A block whose bytes were verified, and what it links to."""

    key: bytes
    cid: bytes
    data: bytes
    links: Sequence[bytes]


AskRouter = Callable[[str, CID, Transfers], list[str]]


class Retrieval:
    """One run.  ``ask_router`` gives the URLs of providers that a router names."""

    def __init__(
        self,
        store: Store,
        cid: CID,
        *,
        pool: SourcePool,
        settings: RetrievalSettings,
        ask_router: AskRouter,
        max_bytes: int | None = None,
        progress: Callable[[RetrievalProgress], None] | None = None,
        stop: threading.Event | None = None,
        hidden: Callable[[], BitMap] | None = None,
    ) -> None:
        self._store = store
        self._cid = cid
        self._pool = pool
        self._settings = settings
        self._ask_router = ask_router
        self._max_bytes = max_bytes
        self._progress = progress
        self._stop = stop
        self._hidden = hidden
        self.transfers = Transfers()
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)  # workers wait here for something to do
        self._state = threading.Condition(self._lock)  # the caller's thread, for something to happen
        self._flow = threading.Condition(self._lock)  # writes for a flush, and a flush for writes
        self._ended = False
        self._failure: PinfoldError | None = None
        self._flushing = False
        self._writing = 0
        self._idle = 0
        self._active = 0
        self._unflushed_bytes = self._unflushed_blocks = 0
        self._flushed_at = self._begun_at = time.monotonic()
        self._frontier: Frontier
        self._schedule: Schedule
        self._writer: Writer
        self._workers: ThreadPoolExecutor | None = None
        self._futures: list[Future[None]] = []
        self.hashers = ThreadPoolExecutor(_HASHERS, "pinfold-hash")
        self._fetched_blocks = self._fetched_bytes = 0

    # -- the caller's thread ---------------------------------------------------------------------------------------

    def run(self, pin_name: str) -> Retrieved:
        """Fetch what is missing and pin it.

        Raises:  FetchFailed, TimedOut, Stopped, QuotaExceeded, DagTooDeep, UnknownCodec, MalformedBlock, InsecureHash,
                 BlockCorrupt (of a block that was here), StoreFull.
        """
        with self._store.writer() as writer:
            self._writer = writer
            self._frontier = Frontier(self._store, writer, self._cid, self._max_bytes, self._hidden)
            self._schedule = Schedule(self._frontier, self._pool, self._settings.routers, self._cid)
            try:
                with self._lock:
                    found = self._frontier.follow([self._cid.bytes], 0)
                    if found.missing and has_links(self._cid.bytes):
                        self._schedule.add_branch(self._cid.bytes)
                self._until_complete()
                self._end()
                writer.flush()
                self._pin(pin_name)
                writer.commit()
            except (QuotaExceeded, InvalidInput, StoreError):
                self._end()
                raise  # and the writer takes back what this run brought
            except PinfoldError:
                self._end()
                writer.commit()
                raise
            finally:
                self._end()
        self._report()
        done = self._frontier
        return Retrieved(self._cid, done.blocks, done.bytes, self._fetched_blocks, self._fetched_bytes)

    def _until_complete(self) -> None:
        report_at = 0.0
        while True:
            self._check_limits()
            if self._follow_later():
                pass
            else:
                with self._lock:
                    if self._frontier.is_complete and not self._writing:
                        return
                    self._start_workers()
                    self._help_out()
                    self._state.wait(_TICK_S)
            self._flush_when_due()
            now = time.monotonic()
            if self._progress is not None and now >= report_at:
                report_at = now + 2 * _TICK_S
                self._report()

    def _check_limits(self) -> None:
        """Raises: what ended a worker; Stopped, TimedOut."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            for worker in self._futures:
                if worker.done():
                    worker.result()  # a mistake in the program: it is not to be waited out
            if self._stop is not None and self._stop.is_set():
                raise Stopped(f"the retrieval of {self._cid} was stopped: {self._standing()}")
            limit_s = self._settings.time_limit_s
            if time.monotonic() - self._begun_at > limit_s:
                raise TimedOut(
                    f"the retrieval of {self._cid} was not done after {limit_s:,.0f} s: {self._standing()}; "
                    f"{self._pool.story()}"
                )

    def fail(self, error: PinfoldError) -> None:
        """End the retrieval with an error; the first one counts."""
        with self._lock:
            self._failure = self._failure or error
            self._state.notify_all()

    def stopped(self) -> Stopped:
        """The error for a retrieval that ends because everything does."""
        with self._lock:
            return Stopped(f"the retrieval of {self._cid} was stopped")

    def _standing(self) -> str:
        """Where it stands, for a person."""
        frontier = self._frontier
        said = f"{frontier.blocks:,} blocks ({frontier.bytes:,} bytes) are here"
        first = frontier.first_missing()
        return f"{said}, at least {frontier.missing:,} are missing, such as {first}" if first else said

    def _follow_later(self) -> bool:
        """Follow the links of one block that is here; whether there was one."""
        with self._lock:
            if not self._frontier.later or not self._frontier.has_room:
                return False
            cid, depth = self._frontier.later.pop()
        data = self._local(cid)
        links = codec.links(codec_of(cid), data)
        with self._lock:
            found = self._frontier.follow(links, depth + 1)
            self._schedule.consider_branch(cid, found)
            self._wake_workers(found.missing)
        return True

    def _local(self, cid: bytes) -> bytes:
        multihash = multihash_of(cid)
        if self._store.row(multihash) is None:  # it came a moment ago, when there was no room for its links
            self._flush()
        return self._store.read(multihash)

    def _flush_when_due(self) -> None:
        with self._lock:
            waited = time.monotonic() - self._flushed_at > _FLUSH_SECONDS
            due = (
                self._unflushed_bytes >= FLUSH_BYTES
                or self._unflushed_blocks >= FLUSH_BLOCKS
                or self._frontier.looked_up >= _FLUSH_LOOK_UPS
                or (waited and self._unflushed_blocks)
            )
        if due:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            self._flushing = True
            while self._writing:  # a block that is being written must not be catalogued yet
                self._flow.wait()
        try:
            self._writer.flush()
            with self._lock:
                self._frontier.flushed()
                self._unflushed_bytes = self._unflushed_blocks = 0
                self._flushed_at = time.monotonic()
        finally:
            with self._lock:
                self._flushing = False
                self._flow.notify_all()

    def _pin(self, name: str) -> None:
        with self._store.catalogue.read() as txn:
            there = self._store.pins.row(txn, self._cid)
        if there is None or there.mode is not PinMode.RECURSIVE or not there.complete:
            self._store.pin(self._cid, PinMode.RECURSIVE, name=name if there is None else "")

    def _report(self) -> None:
        if self._progress is not None:
            with self._lock:
                frontier, live = self._frontier, len(self._pool.live)
                now = RetrievalProgress(frontier.blocks, frontier.bytes, frontier.missing, live)
            self._progress(now)

    def _end(self) -> None:
        """Let no thread touch the store any more; safe to call twice."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._work.notify_all()
            self._flow.notify_all()
            while self._writing:
                self._flow.wait()
        self.transfers.break_off()
        if self._workers is not None:
            wait(self._futures, _STRAY_WAIT_S)
            self._workers.shutdown(wait=False)
        self.hashers.shutdown(wait=False)

    # -- who does what next ------------------------------------------------------------------------------------------

    def _start_workers(self) -> None:
        if self._workers is None:
            self._store.settle_tails()  # what a killed retrieval wrote last is known again
            self._frontier.look_again()
            count = max(1, self._settings.concurrency)
            self._workers = ThreadPoolExecutor(count, "pinfold-fetch")
            self._futures = [self._workers.submit(self._worker) for _ in range(count)]

    def _help_out(self) -> None:
        """When nobody works and nothing can be picked: ask routers about a missing block, or give up."""
        frontier = self._frontier
        if self._active or self._writing or frontier.later or self._pool.wait_s() is not None:
            return
        if self._schedule.has_task:
            self._work.notify_all()
            return
        first = frontier.first_missing()
        if first is not None:
            if not self._schedule.ask_routers(first):
                raise self._nobody_has(first)
            self._work.notify_all()

    def _nobody_has(self, cid: CID) -> FetchFailed:
        frontier = self._frontier
        more = f" (nor {frontier.missing - 1:,} others)" if frontier.missing > 1 else ""
        hint = "" if self._pool.sources else NAME_SOMEBODY
        return FetchFailed(
            f"nobody had block {cid}{more}: {self._pool.story()}.  {frontier.blocks:,} blocks "
            f"({frontier.bytes:,} bytes) of {self._cid} are here",
            hint=hint or "What came is kept until the next gc: asking again goes on from there.",
        )

    def _wake_workers(self, tasks: int) -> None:
        if tasks and self._idle and any(not source.streaming for source in self._pool.live):
            self._work.notify(min(tasks, self._idle))

    # -- workers -----------------------------------------------------------------------------------------------------

    def _worker(self) -> None:
        while True:
            with self._lock:
                task = None
                while not self._ended and (task := self._schedule.next_task()) is None:
                    self._idle += 1
                    self._work.wait(self._pool.wait_s())
                    self._idle -= 1
                if task is None:
                    return
                self._active += 1
                if not isinstance(task, Query):
                    task.source.active += 1
            try:
                self._carry_out(task)
            except PinfoldError as exc:
                self.fail(exc)
            finally:
                with self._lock:
                    self._active -= 1
                    if not isinstance(task, Query):
                        task.source.active -= 1
                    if not self._active or self._frontier.is_complete:
                        self._state.notify_all()

    def _carry_out(self, task: Task) -> None:
        if isinstance(task, Query):
            self._query(task)
        elif isinstance(task, Single):
            self._fetch_single(task)
        else:
            self._fetch_stream(task)

    def _query(self, task: Query) -> None:
        urls: list[str] = []
        said = ""
        try:
            urls = self._ask_router(task.router, task.cid, self.transfers)
        except (FetchFailed, httpx.HTTPError, httpx.InvalidURL) as exc:
            said = str(exc) or type(exc).__name__
        said = said or ("" if urls else "it knows no HTTP provider of it")
        with self._lock:
            if said:
                self._pool.note(f"router {shown(httpx.URL(task.router))}: {said}")
            if self._pool.add_providers(urls):
                self._frontier.unstick()
            self._work.notify_all()

    def _fetch_single(self, task: Single) -> None:
        source, key = task.source, task.key
        try:
            block = source.block(CID.from_bytes(task.wanted.cid), self.transfers)
        except Lacks as exc:
            self._missed(task, str(exc))
        except (FetchFailed, Lied, httpx.HTTPError, httpx.InvalidURL) as exc:
            with self._lock:
                self._frontier.give_back(key)
            self.trouble(source, exc)
        else:
            if self.deliver(source, [self.arrival(key, block.cid.bytes, block.data)]) is None:
                return
            with self._lock:
                self._wake_workers(1)

    def _missed(self, task: Single, said: str) -> None:
        with self._lock:
            if self._ended:
                return
            task.source.lacks(said)
            self._schedule.missed(task)
            self._wake_workers(1)
            if len(self._frontier.stuck) > _MAX_STUCK:
                first = self._frontier.first_missing()
                assert first is not None
                self.fail(self._nobody_has(first))

    def _fetch_stream(self, task: Stream) -> None:
        source, branch = task.source, task.branch
        again = False
        try:
            fetch_branch(self, source, CID.from_bytes(branch.cid))
        except OffersNoCar:
            again = True
            with self._lock:
                source.offers_car = False
        except Lacks as exc:
            again = True
            with self._lock:
                source.lacks(str(exc))
        except (FetchFailed, Lied, httpx.HTTPError, httpx.InvalidURL) as exc:
            again = True
            self.trouble(source, exc)
        finally:
            with self._lock:
                self._schedule.stream_ended(task, again=again)
                self._work.notify_all()

    def trouble(self, source: Source, exc: Exception) -> None:
        """Take note of a request that came to nothing, and of who is not asked any more."""
        with self._lock:
            if self._ended:
                return  # it was broken off by us
            if isinstance(exc, httpx.HTTPError):
                source.failed(exc)
            elif isinstance(exc, AddressRefused):
                source.drop(f"it was not asked: {exc}")
            else:
                source.drop(str(exc))
            if source.gone:
                self._schedule.source_went()
            self._work.notify_all()

    # -- blocks that come --------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether nothing is to be fetched any more."""
        return self._ended

    @property
    def frontier(self) -> Frontier:
        """What is known of the DAG; only under ``lock``."""
        return self._frontier

    @property
    def lock(self) -> threading.RLock:
        """The one lock."""
        return self._lock

    def arrival(self, key: bytes, cid: bytes, data: bytes) -> Arrival:
        """A verified block with its links.  Raises: MalformedBlock."""
        if not has_links(cid):
            return Arrival(key, cid, data, ())
        try:
            return Arrival(key, cid, data, codec.links(codec_of(cid), data))
        except MalformedBlock as exc:
            raise MalformedBlock(f"block {CID.from_bytes(cid)} of {self._cid} cannot be read: {exc}") from exc

    def deliver(self, source: Source, arrivals: Sequence[Arrival], *, streamed: bool = False) -> Found | None:
        """Store verified blocks that were claimed, and follow their links.

        Gives what became of the links; None once the retrieval is over: then nothing was stored.

        Raises:  QuotaExceeded, StoreFull, and what ``Frontier.follow`` raises.
        """
        with self._lock:
            while self._flushing and not self._ended:
                self._flow.wait()
            if self._ended:
                return None
            self._frontier.check_room(sum(len(arrival.data) for arrival in arrivals))
            self._writing += 1
        try:
            self._writer.put([_new_block(arrival) for arrival in arrivals])
            with self._lock:
                return self._note(source, arrivals, streamed=streamed)
        finally:
            with self._lock:
                self._writing -= 1
                self._flow.notify_all()
                if self._frontier.is_complete:
                    self._state.notify_all()

    def _note(self, source: Source, arrivals: Sequence[Arrival], *, streamed: bool) -> Found:
        frontier = self._frontier
        links = missing = new = 0
        for key, cid, data, below in arrivals:
            depth = frontier.depth_of(key)
            self._schedule.came(key)
            if depth is None or not frontier.arrived(key, len(data)):
                continue
            new += 1
            self._unflushed_bytes += len(data)
            self._fetched_bytes += len(data)
            if not below:
                continue
            if not frontier.has_room:
                frontier.later.append(Wanted(cid, depth))
                continue
            found = frontier.follow(below, depth + 1)
            links, missing = links + found.links, missing + found.missing
            if not streamed:
                self._schedule.consider_branch(cid, found)
        self._unflushed_blocks += new
        self._fetched_blocks += new
        source.gave(new)
        self._wake_workers(missing)
        return Found(links, missing)


def _new_block(arrival: Arrival) -> NewBlock:
    tag, multihash = tag_of_cid(arrival.cid)
    return NewBlock(multihash, tag, record_prefix(arrival.cid, len(arrival.data)), arrival.data)
