"""What the platform holds to pin by CID: settings and connections, and one ``Retrieval`` for each call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import httpx
from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, FetchFailed, QuotaExceeded, Stopped
from pinfold.core.pin import PinMode
from pinfold.node import Node
from pinfold.node.gateway_http import gateway_url
from pinfold.node.guarded_http import guarded_client
from pinfold.node.retrieval.model import RetrievalProgress, RetrievalSettings, Retrieved
from pinfold.node.retrieval.pool import NAME_SOMEBODY, Clients, SourcePool
from pinfold.node.retrieval.retrieval import Retrieval
from pinfold.node.retrieval.routers import providers
from pinfold.node.retrieval.transfers import Transfers

_CLOSE_WAIT_S: Final = 30.0  # for the last flush of what runs; the node may be closed then


class Retriever:
    """Brings DAGs into a node by verified HTTP, and pins them.  Thread-safe; use it as a context manager, or close it.

    Nothing of any source is trusted: a block counts when its bytes match its CID and something verified links to it.
    """

    def __init__(self, node: Node, settings: RetrievalSettings) -> None:
        """The node stays the caller's to close, after this.  Raises: InvalidInput for an address that is none."""
        self._store = node.store
        self._settings = settings
        operators = [gateway_url(url) for url in (*settings.gateways, *settings.routers)]
        timeout = httpx.Timeout(settings.silent_timeout_s)
        private = settings.allow_private_origins
        self._clients = Clients(
            # A redirect of the operator's gateway to somebody else is that somebody's address, and is checked.
            guarded_client(allow_private=private, trusted_hosts=[url.host for url in operators], timeout=timeout),
            guarded_client(allow_private=private, timeout=timeout),
        )
        self._lock = threading.Lock()
        self._none_runs = threading.Condition(self._lock)
        self._running: set[Retrieval] = set()
        self._closed = False

    def close(self) -> None:
        """Stop what runs (it raises Stopped, and what came is kept) and close connections; safe to call twice."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for retrieval in running:
            retrieval.fail(retrieval.stopped())
        with self._lock:
            self._none_runs.wait_for(lambda: not self._running, _CLOSE_WAIT_S)
        self._clients.close()

    def __enter__(self) -> Retriever:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def retrieve(
        self,
        cid: CID,
        *,
        origins: Sequence[str] = (),
        pin_name: str,
        max_bytes: int | None = None,
        progress: Callable[[RetrievalProgress], None] | None = None,
        stop: threading.Event | None = None,
        hidden: Callable[[], BitMap] | None = None,
    ) -> Retrieved:
        """Have the whole DAG here, durable, and pinned recursively; a pin that is there stays as it is.

        What is here already is not fetched.  ``origins`` are multiaddrs; those that do not speak HTTP are passed over.
        ``max_bytes`` bounds the payload of the whole DAG.  ``progress`` is called in the caller's thread.
        Blocks whose ids ``hidden`` returns are fetched although they are here; it is called once, when some are found.

        Raises:  FetchFailed where nobody had a block; TimedOut and Stopped, which say where it stood (what came is kept
                 until the next gc, so that another call goes on from there); QuotaExceeded, and DagTooDeep,
                 UnknownCodec, MalformedBlock, InsecureHash for a DAG that cannot be pinned (what came is taken back);
                 BlockCorrupt for damage in this store, StoreFull.
        """
        pinned = self._pinned(cid, max_bytes) if hidden is None else None
        if pinned is not None:
            return pinned
        retrieval = Retrieval(
            self._store,
            cid,
            pool=SourcePool(self._settings, self._clients, origins),
            settings=self._settings,
            ask_router=self._ask_router,
            max_bytes=max_bytes,
            progress=progress,
            stop=stop,
            hidden=hidden,
        )
        with self._lock:
            if self._closed:
                raise Stopped(f"the retrieval of {cid} did not begin: the node is being closed")
            self._running.add(retrieval)
        try:
            return retrieval.run(pin_name)
        finally:
            with self._lock:
                self._running.discard(retrieval)
                self._none_runs.notify_all()

    def require_somebody(self, missing: BlockNotFound, origins: Sequence[str]) -> None:
        """Pass where a retrieval would have anybody to ask for what is missing.  Raises: FetchFailed."""
        if self._settings.gateways or self._settings.routers:
            return
        pool = SourcePool(self._settings, self._clients, origins)
        if not pool.sources:
            raise FetchFailed(f"{missing}: {pool.story()}", hint=NAME_SOMEBODY) from missing

    def _pinned(self, cid: CID, max_bytes: int | None) -> Retrieved | None:
        """What is pinned recursively already; None where something is to be done."""
        catalogue = self._store.catalogue
        with catalogue.read() as txn:
            row = self._store.pins.row(txn, cid)
            if row is None or row.mode is not PinMode.RECURSIVE or not row.complete:
                return None
            size = catalogue.total_bytes(txn, row.ids)
        if max_bytes is not None and size > max_bytes:
            raise QuotaExceeded(f"{cid} has {size:,} bytes: the quota allows {max_bytes:,}")
        return Retrieved(cid, len(row.ids), size, 0, 0)

    def _ask_router(self, url: str, cid: CID, transfers: Transfers) -> list[str]:
        patience_s = self._settings.silent_timeout_s
        return providers(self._clients.operators, url, cid, transfers, silent_timeout_s=patience_s)
