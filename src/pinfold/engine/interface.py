"""What carries out pins, as the platform sees it: the node in this process, Kubo nodes, or a cluster.

Every engine passes ``tests/contract/engine.py``.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final, Protocol

from pyroaring import BitMap

from pinfold.core.cid import CID


class TrackerStatus(StrEnum):
    """What one peer says of one CID, in IPFS Cluster's words."""

    PINNED = "pinned"
    """The peer has every block and keeps them."""
    PINNING = "pinning"
    """The peer is getting the blocks."""
    PIN_QUEUED = "pin_queued"
    """The peer will get the blocks when its turn comes."""
    PIN_ERROR = "pin_error"
    """The peer tried and could not."""
    REMOTE = "remote"
    """Other peers were chosen to hold it."""
    UNPINNED = "unpinned"
    """The peer does not keep it, and was not asked to."""
    UNPINNING = "unpinning"
    """The peer is letting go of it."""
    UNPIN_QUEUED = "unpin_queued"
    """The peer will let go of it when its turn comes."""
    UNPIN_ERROR = "unpin_error"
    """The peer could not let go of it."""
    UNEXPECTEDLY_UNPINNED = "unexpectedly_unpinned"
    """The peer should keep it and does not."""
    CLUSTER_ERROR = "cluster_error"
    """The peer could not be asked."""

    @property
    def is_under_way(self) -> bool:
        """Whether the peer still works towards a pin."""
        return self in (TrackerStatus.PINNING, TrackerStatus.PIN_QUEUED)

    @property
    def is_failed(self) -> bool:
        """Whether the peer should hold a copy and does not."""
        return self in (TrackerStatus.PIN_ERROR, TrackerStatus.UNEXPECTEDLY_UNPINNED, TrackerStatus.CLUSTER_ERROR)


@dataclass(frozen=True, slots=True)
class Peer:
    """A member of the engine, seen from outside."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """What one peer says of one CID."""

    peer: Peer
    status: TrackerStatus
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """How much a DAG is, or how much of it is here by now: distinct blocks, and their payload."""

    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PinOptions:
    """How a pin is to be carried out."""

    may_fetch: bool = True
    """Whether content that the engine does not have is searched for and fetched, which may take long.  Where not, it is
    said at least whether there is anybody to ask: ``FetchFailed`` where nobody is, else ``BlockNotFound``."""
    origins: tuple[str, ...] = ()
    """Multiaddrs of nodes that may have the content."""
    max_bytes: int | None = None
    """Most payload that the whole DAG may have."""
    progress: Callable[[Content], None] | None = None
    """Told now and then how much is here, in any thread."""
    stop: threading.Event | None = None
    """Set by whoever wants the content no longer."""
    hidden: Callable[[], BitMap] | None = None
    """Ids of blocks of other tenants: here, and to be fetched all the same, since the caller may not rely on them."""


PLAINLY: Final = PinOptions()


class Engine(Protocol):
    """Keeps what it is asked to keep.  All calls may be repeated without harm.

    An engine answers for the pins of the platform only: what people pinned at its nodes by other ways is neither
    listed nor let go of.
    """

    async def peers(self) -> Sequence[Peer]:
        """Every peer that could hold copies."""

    async def put_car(self, car: BinaryIO) -> None:
        """Take the blocks of a CAR, each checked against its CID; nothing is pinned.

        Raises:  MalformedCar, BlockCorrupt, BlockTooLarge, InsecureHash, UnknownHash, StoreFull.
        """

    async def pin(self, cid: CID, options: PinOptions = PLAINLY) -> Content | None:
        """Keep the whole DAG below ``cid``, or begin to: ``status`` says where it stands.

        The DAG's size, once all of it is kept; None for an engine that has only begun, or does not know.

        Raises:  BlockNotFound and FetchFailed, where the content cannot be had; Stopped, TimedOut, QuotaExceeded by
                 the options; Corrupt, MalformedBlock, UnknownCodec, StoreFull.
        """

    async def unpin(self, cid: CID) -> None:
        """Keep ``cid`` no longer on the platform's behalf; fine where it was not kept."""

    async def status(self, cid: CID) -> Sequence[PeerStatus]:
        """What every peer says of ``cid``."""

    def pins(self) -> AsyncIterator[CID]:
        """Yield every CID that is kept on the platform's behalf."""

    async def close(self) -> None:
        """Finish what runs; the engine is not used afterwards."""
