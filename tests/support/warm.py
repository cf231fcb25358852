"""Processes of ``pinfold`` that begin where everything is loaded already.

A test that runs many commands would otherwise spend its time on loading.  One process loads and waits; for each command
it forks one that takes over arguments, folder, environment and the standard streams, does what ``python -m pinfold``
does, and ends with its exit code.  That loading itself works is shown by those tests that start the program themselves.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

ROOT: Final = Path(__file__).parents[2]
MOST_INPUT_BYTES: Final = 32 * 1024
"""What surely has room in a pipe that nobody reads yet, and in one message."""
_MODULES: Final = (
    "pinfold.cli.main",
    "pinfold.node",
    "pinfold.node.add",
    "pinfold.client.pushing",
    "pinfold.client.login",
    "pinfold.app.contents",
    "pinfold.app.administration",
    "pinfold.app.roles",
    "pinfold.app.serve",
)
_MOST_BYTES: Final = 128 * 1024  # of a message; the system's buffer has room for more


class Ended(NamedTuple):
    """How a process ended."""

    returncode: int
    stdout: bytes
    stderr: bytes


class WarmProcess:
    """A process that was forked, with what tests ask of a ``subprocess.Popen``."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.pid = int(told.recv(32))
        self.returncode: int | None = None

    def wait(self, timeout_s: float) -> int:
        """Its exit code, negative for a signal.  Raises: TimeoutError."""
        if self.returncode is None:
            self._told.settimeout(timeout_s)
            self.returncode = int(self._told.recv(32))
            self._told.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, where it has ended."""
        try:
            return self.wait(0)
        except BlockingIOError:
            return None

    def send_signal(self, number: int) -> None:
        """Send a signal where it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended, and who looks after it is about to tell
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Warm:
    """The process that waits; made when it is first needed, and gone with this one."""

    def __init__(self) -> None:
        self._asking: socket.socket | None = None
        self._starting = threading.Lock()

    def run(self, args: Sequence[str], *, input: bytes, cwd: Path, env: Mapping[str, str], timeout_s: float) -> Ended:
        """Run ``pinfold`` to its end.  Raises: TimeoutError, when it is killed."""
        assert len(input) <= MOST_INPUT_BYTES
        reader, writer = os.pipe()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with os.fdopen(reader, "rb") as stdin:
                with os.fdopen(writer, "wb") as pipe:
                    pipe.write(input)
                process = self.start(args, (stdin.fileno(), out.fileno(), err.fileno()), cwd=cwd, env=env)
            try:
                code = process.wait(timeout_s)
            except TimeoutError:
                process.kill()
                raise
            out.seek(0)
            err.seek(0)
            return Ended(code, out.read(), err.read())

    def start(
        self, args: Sequence[str], streams: tuple[int, int, int], *, cwd: Path, env: Mapping[str, str]
    ) -> WarmProcess:
        """Start ``pinfold`` on these standard streams."""
        with self._starting:
            server = self._asking or self._start()
        told, telling = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        what = json.dumps({"args": args, "cwd": str(cwd), "env": dict(env)}).encode()
        with telling:
            socket.send_fds(server, [what], [telling.fileno(), *streams])
        return WarmProcess(told)

    def _start(self) -> socket.socket:
        asking, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PINFOLD_")}
            self._server = subprocess.Popen(
                [sys.executable, "-m", __name__, str(its.fileno())],
                cwd=ROOT,
                # A process is forked without its threads, so it should have none.
                env={**environment, "PYTHONUNBUFFERED": "", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        if asking.recv(1) == b"":
            asking.close()
            raise RuntimeError(f"pinfold does not load, as standard error says; exit code {self._server.wait()}")
        self._asking = asking
        return asking


WARM: Final = Warm()


def _serve(asked: socket.socket) -> None:
    for name in _MODULES:
        import_module(name)
    gc.collect()
    gc.freeze()  # what is here stays: nobody has to walk it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how those ended that look after one process each
    asked.send(b"!")
    while True:
        what, handles, _, _ = socket.recv_fds(asked, _MOST_BYTES, 4)
        if not what:
            return
        if os.fork() == 0:
            asked.close()
            _look_after(json.loads(what), *handles)
        for handle in handles:
            os.close(handle)


def _look_after(what: Mapping[str, Any], telling: int, *streams: int) -> NoReturn:
    """Fork the process itself, and tell its number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process_id = os.fork()
    if process_id == 0:
        os.close(telling)
        _become(what, streams)
    os.write(telling, b"%d" % process_id)
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(process_id, 0)
    os.write(telling, b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(what: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Be the process that was asked for."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(what["env"])
    os.chdir(what["cwd"])
    sys.argv[1:] = what["args"]
    from pinfold.__main__ import main

    code = 0
    try:
        main()
    except SystemExit as exc:
        code = int(exc.code or 0)
    except BaseException:  # noqa: BLE001 - what an interpreter does with what nobody caught
        traceback.print_exc()
        code = 1
    # The end of an interpreter, without its last walk over everything that was loaded.
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked_on:
        _serve(asked_on)
