"""A progress bar with rate and time left, on a terminal's standard error only."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, TextIO

from pinfold.cli.output import size

if TYPE_CHECKING:
    from pinfold.node.model import Progress

_REDRAW_S: Final = 0.1  # ten times a second looks steady and costs nothing
_BAR_CELLS: Final = 24


class ProgressBar:
    """Draws ``Progress`` values; does nothing where there is no terminal to draw on."""

    def __init__(
        self,
        *,
        shown: bool | None = None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() if shown is None else shown
        self._clock = clock
        self._began = self._drawn_at = clock()
        self._dirty = False

    @property
    def update(self) -> Callable[[Progress], None] | None:
        """What to give as ``progress=``; None when nothing is shown, so that nobody counts for nothing."""
        return self._update if self._shown else None

    def clear(self) -> None:
        """Take the bar away, for a line that is printed in its place."""
        if self._dirty:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._dirty = False

    def _update(self, progress: Progress) -> None:
        now = self._clock()
        if now - self._drawn_at < _REDRAW_S:
            return
        self._drawn_at = now
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[2K" + describe(progress, now - self._began)[:width])
        self._stream.flush()
        self._dirty = True

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()


def describe(progress: Progress, elapsed_s: float) -> str:
    """One line: how far, how fast, how long still."""
    done, total = progress.bytes_done, progress.bytes_total
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    parts = [size(done) if not total else f"{size(done)} / {size(total)}"]
    if total:
        share = min(done / total, 1.0)
        cells = int(share * _BAR_CELLS)
        parts.insert(0, f"[{'=' * cells}{' ' * (_BAR_CELLS - cells)}] {share:4.0%}")
    if progress.items_done or progress.items_total:
        items = f"{progress.items_done:,}"
        parts.append(f"{items} / {progress.items_total:,} items" if progress.items_total else f"{items} items")
    if rate:
        parts.append(f"{size(int(rate))}/s")
        if total and done < total:
            parts.append(f"{_duration((total - done) / rate)} left")
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
