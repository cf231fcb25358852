"""Where the server is and what token it takes: from the environment, or as ``pinfold login`` kept it.

The token lies in a file that only its owner can read.  Both variables win over that file, and a token from the
environment is never sent to a server that came from the file or the other way round.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pinfold.core.errors import InvalidInput, InvalidSetting, Unauthorised

SERVER_VARIABLE: Final = "PINFOLD_SERVER"
TOKEN_VARIABLE: Final = "PINFOLD_TOKEN"
_FILE: Final = "login.json"
_HINT: Final = f"`pinfold login URL` remembers a server and a token; or set {SERVER_VARIABLE} and {TOKEN_VARIABLE}."


@dataclass(frozen=True, slots=True)
class Login:
    """One server, and the token that it takes."""

    server: str
    token: str = field(repr=False)
    is_session: bool = False
    """Whether the token was given for a password, and is of no use once its user has signed out."""


def current() -> Login:
    """The login that commands use.  Raises: Unauthorised, InvalidSetting, InvalidInput (the URL)."""
    server, token = os.environ.get(SERVER_VARIABLE, ""), os.environ.get(TOKEN_VARIABLE, "")
    if server and token:
        return Login(server_url(server), token)
    known = _read()
    if server or token:
        if known is not None and server and server_url(server) == known.server:
            return known
        given, missing = (SERVER_VARIABLE, TOKEN_VARIABLE) if server else (TOKEN_VARIABLE, SERVER_VARIABLE)
        raise Unauthorised(f"{given} is set, and {missing} is not", hint=_HINT)
    if known is None:
        raise Unauthorised("there is no server to talk to yet", hint=_HINT)
    return known


def keep(login: Login) -> Path:
    """Write a login down for the commands to come; the file.  Raises: InvalidSetting."""
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A new file in the old one's place: it is never half written, and never readable by others.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".login-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"server": login.server, "token": login.token, "session": login.is_session}, file)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as exc:
        raise InvalidSetting(f"{path} cannot be written: {exc.strerror}", hint="") from exc
    return path


def kept() -> Login | None:
    """What ``keep`` wrote, whatever the environment says.  Raises: InvalidSetting."""
    return _read()


def forget() -> bool:
    """Remove what ``keep`` wrote; whether there was anything.  Raises: InvalidSetting."""
    path = _path()
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise InvalidSetting(f"{path} cannot be removed: {exc.strerror}", hint="") from exc
    return True


def server_url(text: str) -> str:
    """A server's URL as it is kept: with its scheme, without a slash at the end.  Raises: InvalidInput."""
    url = text.strip()
    if "://" not in url:
        url = f"http://{url}" if url.startswith(("localhost", "127.", "[::1]")) else f"https://{url}"
    url = url.rstrip("/").removesuffix("/api/v1")  # as examples of the API have it
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or parts.username or parts.password:
        raise InvalidInput(f"{text!r} is no server's URL", hint="Write for example https://pin.example.org.")
    return url


def _read() -> Login | None:
    path = _path()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Login(str(found["server"]), str(found["token"]), found.get("session") is True)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise InvalidSetting(f"{path} cannot be read: {exc.strerror}", hint="") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidSetting(f"{path} holds no login", hint="`pinfold login URL` writes it anew.") from exc


def _path() -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("pinfold", appauthor=False)) / _FILE
