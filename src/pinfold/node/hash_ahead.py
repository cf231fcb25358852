"""Blocks hashed by other threads, a little ahead of the one that copies them out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from types import TracebackType
from typing import Final, TypeVar

from pinfold.core.errors import PinfoldError
from pinfold.store import Store
from pinfold.store.hashed_reads import SoundBlock

_THREADS: Final = 2  # a third has nothing to do on two cores, and the disk is not faster for it
_AHEAD: Final = 4  # groups being hashed or waiting to be copied
_GROUP_BYTES: Final = 4 << 20  # 3 ms of hashing: long beside the hand-over, short beside a person's patience
_GROUP_BLOCKS: Final = 1000
_T = TypeVar("_T")
_Group = list[tuple[_T, SoundBlock | None]]


class HashAhead:
    """Use it as a context manager: its threads end with it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> HashAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def through(
        self, items: Iterable[_T], multihash_of: Callable[[_T], bytes | None], size_of: Callable[[_T], int]
    ) -> Iterator[tuple[_T, SoundBlock | None]]:
        """The items in their order, each with its block once that was hashed; None for an item that has no block.

        Shape:   a few MiB are hashed ahead.  An error comes after all the items of the groups before it.
        Raises:  BlockNotFound, BlockCorrupt, StoreCorrupt, and what ``items`` raises.
        """

        def hashed(group: list[_T]) -> _Group[_T]:
            keys = [multihash_of(item) for item in group]
            found = iter(self._store.sound([key for key in keys if key is not None]))
            return [(item, next(found) if key is not None else None) for item, key in zip(group, keys, strict=True)]

        groups = _grouped(items, size_of)
        first = next(groups, None)
        second = next(groups, None) if first is not None else None
        if first is None:
            return
        if second is None:  # small content needs no threads
            yield from hashed(first)
            return
        self._pool = ThreadPoolExecutor(_THREADS, "pinfold-hash")
        waiting: deque[Future[_Group[_T]]] = deque()
        for group in chain((first, second), groups):
            waiting.append(self._pool.submit(hashed, group))
            if len(waiting) >= _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _grouped(items: Iterable[_T], size_of: Callable[[_T], int]) -> Iterator[list[_T]]:
    """Items in groups of a few MiB; what came before an error is a group as well."""
    group: list[_T] = []
    size = 0
    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            break
        except PinfoldError:
            if group:
                yield group
            raise
        group.append(item)
        size += size_of(item)
        if size >= _GROUP_BYTES or len(group) >= _GROUP_BLOCKS:
            yield group
            group, size = [], 0
    if group:
        yield group
