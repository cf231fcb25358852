"""Unit tests reach no network, not even loopback; a test that needs a server lives in another folder of ``tests``."""

from __future__ import annotations

import socket
from typing import Any, NoReturn

import pytest


@pytest.fixture(autouse=True)
def sockets_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every way a socket reaches another host; sockets of this machine's file system still work."""

    def guard(name: str) -> None:
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, *args: Any) -> Any:
            if self.family == socket.AF_UNIX:
                return real(self, *args)
            refuse(name, args)

        monkeypatch.setattr(socket.socket, name, guarded)

    def refuse(name: str, args: tuple[Any, ...]) -> NoReturn:
        raise RuntimeError(f"a unit test opens no network socket: {name}{args!r}")

    for name in ("connect", "connect_ex", "bind", "sendto", "sendmsg"):
        guard(name)
