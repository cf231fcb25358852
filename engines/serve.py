"""Run a private PostgreSQL or Redis in the foreground: ``python -m engines.serve postgres|redis [DIR]``.

Its URL is the first line of standard output; SIGTERM or Ctrl-C ends it.  Without DIR it lives in a temporary folder
that goes with it.  With ``--attended`` (how the tests run it) it ends when standard input does, so that it never
outlives whoever started it, and a line ``crash`` there cuts it off and starts it again on the same port and data,
which is answered with the URL once more.  ``halt`` stops it and is answered ``halted``,
``resume`` starts it again.  ``freeze`` stops the processes of PostgreSQL where they are (SIGSTOP) and is answered
``frozen``, ``thaw`` lets them go on and is answered ``thawed``.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

from engines.postgres_server import Postgres
from engines.redis_server import Redis
from engines.run_as import ServerFailed

STOP, CRASH, HALT, RESUME, GONE = "stop", "crash", "halt", "resume", "gone"
FREEZE, THAW = "freeze", "thaw"


def arguments(words: list[str]) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m engines.serve", description="A private server in the foreground.")
    parser.add_argument("engine", choices=["postgres", "redis"])
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="where its data lies, kept at the end")
    parser.add_argument("--port", type=int, help="loopback port; a free one without this")
    parser.add_argument("--fast", action="store_true", help="PostgreSQL: no fsync; for tests that cut no power")
    parser.add_argument("--attended", action="store_true", help="end with standard input, take commands there")
    return parser.parse_args(words)


def listen(events: queue.SimpleQueue[str]) -> None:
    """Turn lines of standard input into events, and its end into STOP."""
    pending = b""
    while read := os.read(sys.stdin.fileno(), 4096):  # unbuffered: a thread inside sys.stdin would block our exit
        *lines, pending = (pending + read).split(b"\n")
        for line in lines:
            events.put(line.decode(errors="replace").strip())
    events.put(STOP)


def watch(server: Postgres | Redis, events: queue.SimpleQueue[str]) -> None:
    """Tell when the server that runs now has ended, and with which words."""
    events.put(f"{GONE} {server.wait()}")


def run(server: Postgres | Redis, events: queue.SimpleQueue[str]) -> int:
    """Serve until an event ends it; the exit code."""
    while True:
        server.start()
        print(server.url, flush=True)
        watcher = threading.Thread(target=watch, args=(server, events), daemon=True)
        watcher.start()
        while (event := events.get()) in (FREEZE, THAW) and isinstance(server, Postgres):
            (server.freeze if event == FREEZE else server.thaw)()
            print("frozen" if event == FREEZE else "thawed", flush=True)
        if event not in (CRASH, HALT):
            break
        if event == CRASH:
            server.crash()
        else:
            server.stop()
        watcher.join()
        if event == HALT:
            print("halted", flush=True)
            while (event := events.get()) != RESUME:
                if event == STOP:
                    return 0
        while not events.empty() and (event := events.get()) == STOP:
            return 0
    if event.startswith(GONE):
        print(f"the server ended by itself: {event.removeprefix(GONE)}", file=sys.stderr)
        return 1
    return 0


def main(words: list[str]) -> int:
    """Serve as asked; 0 when asked to end, 1 when the server failed."""
    asked = arguments(words)
    events: queue.SimpleQueue[str] = queue.SimpleQueue()  # its put may be called in a signal handler
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: events.put(STOP))
    if asked.attended:
        threading.Thread(target=listen, args=(events,), daemon=True).start()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix=f"pinfold-{asked.engine}-"))
    server: Postgres | Redis | None = None
    try:
        if asked.engine == "postgres":
            server = Postgres(folder.absolute(), port=asked.port, durable=not asked.fast)
        else:
            server = Redis(folder.absolute(), port=asked.port)
        return run(server, events)
    except ServerFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    finally:
        if server is not None:
            server.stop()
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
