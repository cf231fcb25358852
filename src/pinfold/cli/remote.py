"""What the commands that talk to a server have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from pinfold.cli import output
from pinfold.cli.options import usage_error

if TYPE_CHECKING:
    from pinfold.client import Login, Server

Tags: TypeAlias = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag; repeatable.")]
Limit: TypeAlias = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many.  Default: all.")
]


def open_server() -> Server:
    """The server that this user is signed in to; use it in a ``with``.  Raises: Unauthorised, where there is none."""
    from pinfold.client import Server
    from pinfold.client.login import current

    return Server(current())


def remember(login: Login, as_json: bool) -> None:
    """Try a login, keep it for the commands to come, and say whose it is."""
    from pinfold.client import Server
    from pinfold.client.login import keep

    with Server(login) as api:
        who = identity(api)
    path = keep(login)
    if as_json:
        output.json_line(who)
        return
    output.line(f"signed in to {login.server}, organisation {output.printable(str(who['organisation']))}")
    until = " It ends by itself after twelve hours." if login.is_session else ""
    output.note(f"The {'session' if login.is_session else 'token'} is kept in {path}.{until}")


def secret(prompt: str, noun: str, *, from_stdin: bool, option: str, twice: bool = False) -> str:
    """A secret: one line of standard input, or asked for without showing it.  Raises: a usage error."""
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        import getpass

        given = getpass.getpass(prompt)
        while twice and getpass.getpass("Once more: ") != given:
            output.note("The two are not the same; once again.")
            given = getpass.getpass(prompt)
    else:
        raise usage_error(f"standard input is no terminal; pipe the {noun} in with {option}")
    if not given:
        raise usage_error(f"the {noun} is empty")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise usage_error(f"the {noun} is no text: its bytes are not UTF-8") from None
    return given


def identity(server: Server) -> dict[str, output.Json]:
    """Who the token speaks for, and what it may do; an organisation that it may not look at is told by its id."""
    me = server.me()
    scopes = list(me["scopes"])
    organisation = server.organisation()["name"] if "org:read" in scopes else me["organisation_id"]
    user = me.get("user") or {}
    return {"server": server.url, "organisation": str(organisation), "user": user.get("email"), "scopes": scopes}


def pairs(given: Iterable[str] | None, option: str) -> dict[str, str]:
    """What ``--option KEY=VALUE`` said, all together.  Raises: a usage error."""
    found = {}
    for word in given or ():
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise usage_error(f"{option} takes KEY=VALUE, not {word!r}")
        found[key] = value
    return found


def time_of(text: str | None, option: str) -> str | None:
    """A time as the API takes it, from ``2026-12-31``, or with hours and a zone.  Raises: a usage error."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise usage_error(f"{option} takes a time such as 2026-12-31 or 2026-12-31T12:00:00Z, not {text!r}") from None
    return (when if when.tzinfo else when.astimezone()).isoformat()


def shown_name(record: dict[str, Any]) -> str:
    """The name of a file or pin, as it can be printed."""
    return output.printable(str(record.get("name") or ""))
