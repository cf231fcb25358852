"""One whole process, measured from its start to its end."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class BenchFailed(Exception):
    """A measured program did not do its job; there is nothing to compare."""


@dataclass(slots=True)
class Sample:
    """One run of one contender."""

    seconds: float
    peak_bytes: int
    """Peak resident memory of the process, mapped files included."""
    output: str = ""
    """The last line it printed, where the job asked for it."""
    figures: dict[str, float] = field(default_factory=dict)
    """More numbers of this run, by name."""


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    environment: Mapping[str, str] | None = None,
    stdout: Path | None = None,
    through_pipe: bool = False,
    keep_output: bool = False,
) -> Sample:
    """Run ``argv`` to its end; BenchFailed when it exits non-zero.

    Shape:   ``stdout`` names a file for its output; ``through_pipe`` sends it through a pipe to a reader that throws it
             away, and the time ends when the reader has all of it; ``keep_output`` keeps the last line.
    Units:   wall clock seconds; peak memory by wait4.  The kernel counts the moment before exec too, so no figure can
             be smaller than this process itself, which therefore keeps everything large in other processes.
    """
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as kept:
        sink = stdout.open("wb") if stdout else kept if keep_output else subprocess.DEVNULL
        began = time.perf_counter()
        process = subprocess.Popen(
            [os.fspath(word) for word in argv],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if through_pipe else sink,
            stderr=errors,
        )
        reader = None
        if process.stdout is not None:
            reader = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if reader is not None:
            reader.wait()
        seconds = time.perf_counter() - began
        if not isinstance(sink, int):
            sink.flush()
        if process.returncode != 0:
            errors.seek(0)
            words = " ".join(os.fspath(word) for word in argv[:6])
            said = errors.read().decode(errors="replace")[-2000:]
            raise BenchFailed(f"{words} exited {process.returncode}: {said}")
        output = ""
        if keep_output:
            kept.seek(0)
            output = kept.read().decode().strip().rpartition("\n")[2]
        if stdout is not None and not isinstance(sink, int):
            sink.close()
    return Sample(seconds, usage.ru_maxrss * (1024 if os.uname().sysname == "Linux" else 1), output)


def elsewhere(function: Callable[..., None], *arguments: object) -> None:
    """Call a function in a process of its own, so that its memory does not count in what is measured later."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise BenchFailed(f"{function.__name__} failed (its words stand above)")
