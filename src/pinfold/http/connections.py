"""How many connections one listener has, and which of them makes room when there are too many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_address, ip_network
from itertools import chain
from typing import Final, Protocol

STALLED_S: Final = 5.0
"""An answer of which nothing was taken for so long may make room for a new connection.  A moving one, however slow
its link is, takes 64 KiB more often than that at 13 KB/s."""
_MOST_LINGERING: Final = 64  # refused connections that are kept open a moment, so that the client reads why


class Connection(Protocol):
    """What is asked of a connection."""

    @property
    def idle_since(self) -> float | None:
        """When its last answer ended, or it began; None while a request is answered."""

    @property
    def stalled_since(self) -> float | None:
        """When its client took something of an answer for the last time; None where none waits for the client."""

    def evict(self) -> None:
        """End it to make room."""


class Connections:
    """The connections of one listener, counted in all and by client address.

    When a new one is too many, the one that has been idle for longest is closed, or else the one whose client has not
    taken anything of its answer for longest, at least ``STALLED_S``.  An address over its own limit makes room among
    its own; a full listener does it among those of the address that has most.
    """

    def __init__(
        self, most: int, most_per_address: int, clock: Callable[[], float], exempt: Sequence[str] = ()
    ) -> None:
        """``exempt`` are networks of proxies, which stand for many clients: only the limit of all counts for them."""
        self._most = most
        self._most_per_address = most_per_address
        self._clock = clock
        self._exempt = [ip_network(one) for one in exempt]
        self._count = 0
        self._by_address: dict[str, set[Connection]] = {}
        self.lingering = 0

    def __len__(self) -> int:
        return self._count

    @property
    def may_linger(self) -> bool:
        """Whether one more refused connection may stay open for a moment."""
        return self.lingering < _MOST_LINGERING

    def admit(self, connection: Connection, address: str) -> bool:
        """Count a new connection, and make room for it where that is needed; False where there is none."""
        key = address_key(address)
        held = self._by_address.get(key, set())
        if len(held) >= self._most_per_address and not self._is_exempt(key) and not self._make_room(held):
            return False
        if self._count >= self._most:
            largest = max(self._by_address.values(), key=len)
            everyone = list(chain.from_iterable(self._by_address.values()))
            if not self._make_room(largest) and not self._make_room(everyone):
                return False
        self._by_address.setdefault(key, set()).add(connection)
        self._count += 1
        return True

    def remove(self, connection: Connection, address: str) -> None:
        """Count it no more; it may have gone already."""
        key = address_key(address)
        held = self._by_address.get(key)
        if held is None or connection not in held:
            return
        held.remove(connection)
        self._count -= 1
        if not held:
            del self._by_address[key]

    def _make_room(self, among: Collection[Connection]) -> bool:
        idle = [(since, id(one), one) for one in among if (since := one.idle_since) is not None]
        if not idle:
            before = self._clock() - STALLED_S
            idle = [
                (since, id(one), one) for one in among if (since := one.stalled_since) is not None and since < before
            ]
        if not idle:
            return False
        min(idle)[2].evict()  # which removes it
        return True

    def _is_exempt(self, key: str) -> bool:
        if not self._exempt:
            return False
        try:
            network = ip_network(key)
        except ValueError:
            return False
        return any(network.version == one.version and network.overlaps(one) for one in self._exempt)


def address_key(address: str) -> str:
    """What counts as one address: an IPv4 address, or a /64 of IPv6, of which one client has all."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))
