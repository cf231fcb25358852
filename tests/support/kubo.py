"""A real Kubo in a folder of its own that never calls out: as one-shot commands, or as a daemon on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

IPFS = Path(__file__).resolve().parents[2] / ".engines" / "bin" / "ipfs"
WHERE_FROM = "no real Kubo here; run make engines"

COMMAND_TIMEOUT_S = 300.0  # a hung Kubo must fail its test, not the whole run
START_TIMEOUT_S = 60.0


class KuboFailed(AssertionError):
    """An ``ipfs`` command that did not do what a test asked for; the message has its standard error."""


class Kubo:
    """One Kubo repository under ``home``, offline, with no peers.

    The "test" profile leaves loopback addresses with ports of the system's choice, no bootstrap peers, no AutoConf, no
    delegated routers and publishers, no DNS resolvers, no MDNS and no AutoTLS; routing and telemetry go off on top of
    that, so that nothing waits for a network that is not there.
    """

    def __init__(self, home: Path, *, ipfs: Path = IPFS, config: dict[str, Any] | None = None) -> None:
        """Make the repository.  ``config`` sets more keys, as ``{"Import.CidVersion": 1}``."""
        self.home = home
        self.ipfs = ipfs
        self._daemon: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None
        self._log: list[str] = []
        home.mkdir(parents=True, exist_ok=True)
        self.run("init", "--empty-repo", "--profile=test")
        self.configure({"Routing.Type": "none", "Provide.Enabled": False} | (config or {}))

    def configure(self, settings: dict[str, Any]) -> None:
        """Set keys of the configuration, in one write; a daemon reads them at its next start."""
        path = self.home / "config"
        config = json.loads(path.read_bytes())
        for dotted, value in settings.items():
            *above, last = dotted.split(".")
            place = config
            for key in above:
                place = place.setdefault(key, {})
            place[last] = value
        path.write_text(json.dumps(config, indent=2))

    def sync_blocks(self) -> None:
        """Make this Kubo durable: every block is synced before it counts, as Pinfold does."""
        config = json.loads((self.home / "config").read_bytes())
        for mount in config["Datastore"]["Spec"]["mounts"]:
            if mount.get("type") == "flatfs":
                mount["sync"] = True
        self.configure({"Datastore.Spec": config["Datastore"]["Spec"]})

    @property
    def environment(self) -> dict[str, str]:
        """What every ``ipfs`` of this repository runs with."""
        return dict(os.environ, IPFS_PATH=str(self.home), IPFS_TELEMETRY="off", GOLOG_LOG_LEVEL="error")

    def run(self, *args: str | os.PathLike[str], input: bytes | None = None) -> bytes:
        """The standard output of ``ipfs ARGS``; KuboFailed when it exits non-zero."""
        done = subprocess.run(
            [self.ipfs, *args],
            env=self.environment,
            input=input if input is not None else b"",
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            words = " ".join(os.fspath(arg) for arg in args)
            raise KuboFailed(f"ipfs {words} exited {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def text(self, *args: str | os.PathLike[str], input: bytes | None = None) -> str:
        """``run`` as text without the last newline."""
        return self.run(*args, input=input).decode().rstrip("\n")

    def add(self, path: str | os.PathLike[str], *flags: str) -> str:
        """The root CID of ``ipfs add -Q -r FLAGS PATH``."""
        return self.text("add", "-Q", "-r", *flags, "--", path)

    def add_bytes(self, content: bytes, *flags: str) -> str:
        """The CID of ``content`` given to ``ipfs add -Q FLAGS`` on standard input."""
        return self.text("add", "-Q", *flags, input=content)

    def start_daemon(self, *flags: str) -> None:
        """Start ``ipfs daemon`` and return when its API and its gateway answer."""
        assert self._daemon is None, "this daemon runs already"
        process = subprocess.Popen(
            [self.ipfs, "daemon", *flags],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        settled = threading.Event()  # ready, or gone
        self._log = []

        def drain() -> None:
            assert process.stdout is not None
            with process.stdout as lines:
                for line in lines:
                    self._log.append(line)
                    if line.startswith("Daemon is ready"):
                        settled.set()
            settled.set()

        self._daemon = process
        self._drain = threading.Thread(target=drain, daemon=True)
        self._drain.start()
        if not settled.wait(START_TIMEOUT_S) or not any(line.startswith("Daemon is ready") for line in self._log):
            log = "".join(self._log)
            self.stop()
            raise KuboFailed(f"ipfs daemon did not become ready:\n{log}")

    def stop(self) -> None:
        """End the daemon; nothing when none runs."""
        if self._daemon is None:
            return
        self._daemon.terminate()
        try:
            self._daemon.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        if self._drain is not None:
            self._drain.join()
        self._daemon = self._drain = None

    @property
    def api_url(self) -> str:
        """Where the running daemon's RPC API answers, as ``http://127.0.0.1:PORT``."""
        _, _, host, _, port = (self.home / "api").read_text().strip().split("/")
        return f"http://{host}:{port}"

    @property
    def gateway_url(self) -> str:
        """Where the running daemon's gateway answers, as ``http://127.0.0.1:PORT``."""
        return (self.home / "gateway").read_text().strip().rstrip("/")
