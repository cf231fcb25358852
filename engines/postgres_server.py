"""A private PostgreSQL on a loopback port, all of it in one folder.

FOLDER/data       the cluster; made in data.new and renamed, so that a start that is killed leaves no half of one
FOLDER/password   of its superuser ``pinfold``: anyone on this machine can reach a loopback port
FOLDER/programs   a copy of the server, only where the user it must run as cannot reach the one in ``.engines``
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from engines import from_debian
from engines.foreground import Foreground, free_port
from engines.get_postgres import PROGRAMS, real_folder
from engines.places import BIN
from engines.run_as import ServerFailed, User

WHERE_FROM = "no real PostgreSQL here; run make engines"
SUPERUSER = "pinfold"
INITDB_TIMEOUT_S = 120
PORT_TRIES = 5  # someone else may take a free port before the server does

# C.UTF-8: bytes in order, yet case and letters of every script, without which pg_trgm sees only ASCII.
LOCALE = "C.UTF-8"
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # what a power cut would need, and tests don't


def postgres_is_here() -> bool:
    """Whether ``make engines`` has brought PostgreSQL."""
    return all((BIN / program).exists() for program in PROGRAMS)


class Postgres:
    """One server over one folder, which it keeps from one start to the next."""

    def __init__(self, folder: Path, *, port: int | None = None, durable: bool = True) -> None:
        """Prepare the folder, without starting.  ``durable=False`` trades what a power cut would need for speed.

        Raises: ServerFailed, also when the folder is one that the server's user cannot enter.
        """
        if not postgres_is_here():
            raise ServerFailed(WHERE_FROM)
        self.folder = folder
        self.port = port
        self.durable = durable
        self._running: Foreground | None = None
        self._user = User("postgres", "nobody")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._user.own(folder)
        if not self._user.can_enter(folder):
            wanted = "name one outside of private folders"
            raise ServerFailed(f"PostgreSQL must not run as root, and its user cannot enter {folder}: {wanted}")
        self._programs, self._libraries = self._reachable_programs()

    def _reachable_programs(self) -> tuple[Path, list[Path]]:
        """The folder of the real programs, and those of the libraries that were unpacked with them."""
        programs = real_folder(BIN)
        if not programs.is_relative_to(from_debian.DEBIAN):
            return programs, []
        libraries = from_debian.library_folders()
        if self._user.can_enter(programs):
            return programs, libraries
        copy = self.folder / "programs"
        if not copy.exists():
            fresh = self.folder / "programs.new"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(from_debian.DEBIAN, fresh, symlinks=True)
            fresh.rename(copy)
        copy.chmod(0o755)
        moved = [copy / path.relative_to(from_debian.DEBIAN) for path in (programs, *libraries)]
        return moved[0], moved[1:]

    @property
    def environment(self) -> dict[str, str]:
        """What its programs run with: nothing of ours, so that no PGPORT or PGOPTIONS of someone's shell gets in."""
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self.folder)}
        libraries = [*map(str, self._libraries), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        return environment | ({"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {})

    @property
    def password(self) -> str:
        """The superuser's password, made at the first start."""
        return (self.folder / "password").read_text().strip()

    @property
    def url(self) -> str:
        """Where the superuser's own database answers, as SQLAlchemy writes it."""
        return f"postgresql+psycopg://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/postgres"

    def _make_cluster(self) -> None:
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(16) + "\n")
        self._user.own(password)
        command = [
            *(str(self._programs / "initdb"), "--pgdata", str(fresh), "--username", SUPERUSER),
            *("--auth", "password", "--pwfile", str(password), "--encoding", "UTF8", "--locale", LOCALE),
            *(() if self.durable else ("--no-sync",)),
        ]
        try:
            subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=INITDB_TIMEOUT_S,
                check=True,
                user=self._user.name,
                group=self._user.group,
                extra_groups=self._user.extra_groups,
            )
        except subprocess.CalledProcessError as exc:
            raise ServerFailed(f"initdb failed: {' '.join(exc.stdout.split())}") from exc
        except (OSError, subprocess.SubprocessError) as exc:
            raise ServerFailed(f"initdb failed: {exc}") from exc
        fresh.rename(self.folder / "data")

    def start(self) -> None:
        """Return when it takes connections.  Raises: ServerFailed."""
        if not (self.folder / "data").exists():
            self._make_cluster()
        given = self.port
        for attempt in range(PORT_TRIES):
            self.port = given or free_port()
            try:
                self._running = Foreground(
                    self._command(self.port),
                    ready="database system is ready to accept connections",
                    environment=self.environment,
                    folder=self.folder,
                    user=self._user,
                )
                return
            except ServerFailed as exc:
                if given or "Address already in use" not in str(exc) or attempt == PORT_TRIES - 1:
                    raise

    def _command(self, port: int) -> list[str]:
        settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            f"port={port}",
            "timezone=UTC",
            "lc_messages=C",
            "max_connections=200",
            *(() if self.durable else FAST),
        ]
        flags = [word for setting in settings for word in ("-c", setting)]
        return [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *flags]

    def stop(self) -> None:
        """End it in order: sessions are cut off, everything is written."""
        self._end(signal.SIGINT)

    def freeze(self) -> None:
        """Stop its processes where they are: connections stay open, and nothing answers."""
        if self._running is not None:
            self._running.freeze()

    def thaw(self) -> None:
        """Let them go on."""
        if self._running is not None:
            self._running.thaw()

    def crash(self) -> None:
        """End it as a power cut would find it: nothing is written any more, the next start has to recover."""
        self._end(signal.SIGQUIT)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._running is not None:
            self._running.thaw()  # a frozen one would see no signal
            self._running.stop(with_signal)
            self._running = None

    def wait(self) -> str:
        """Block until the server ends, by itself or stopped by another thread, and return its last words."""
        running = self._running
        if running is None:
            return ""
        running.process.wait()
        return running.last_words()
