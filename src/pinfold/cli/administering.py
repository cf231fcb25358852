"""What the commands of the server's administrator have in common: they work on the database, without a server."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, TypeVar

import typer

from pinfold.cli import output
from pinfold.cli.options import byte_size, usage_error

if TYPE_CHECKING:
    from pinfold.app.administration import Administration

T = TypeVar("T")

Org: TypeAlias = Annotated[
    str | None, typer.Option("--org", metavar="SLUG", help="The organisation.  Default: the only one there is.")
]
RoleName: TypeAlias = Annotated[
    Literal["owner", "admin", "member", "viewer"], typer.Option("--role", help="What they are in the organisation.")
]
PasswordStdin: TypeAlias = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, and ask nobody.")
]
MOST: Final = (1 << 63) - 1
"""The largest number that the database has room for."""
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def administer(data_dir: Path | None, work: Callable[[Administration], Awaitable[T]]) -> T:
    """What ``work`` gives, called with the services on the platform's database."""
    import asyncio

    from pinfold.app.administration import administer as opened
    from pinfold.settings import load

    settings = load({"data_dir": data_dir})

    async def run() -> T:
        async with opened(settings) as admin:
            return await work(admin)

    return asyncio.run(run())


def fields_of(record: Any, *names: str) -> dict[str, output.Json]:
    """A record as JSON, all of it or the fields named."""
    wanted = names or tuple(field.name for field in fields(record))
    return {name: _plain(getattr(record, name)) for name in wanted}


def _plain(value: Any) -> output.Json:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple | frozenset):
        return [_plain(one) for one in value]
    plain: output.Json = value
    return plain


def shown(value: object) -> str:
    """A value of a record in a column of text."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return output.printable(str(value))


def described(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values under each other."""
    output.columns([(f"{name}:", shown(value)) for name, value in pairs])


def quota(text: str, *, in_bytes: bool = False, most: int = MOST) -> int | None:
    """A quota from the command line; ``none`` sets none.  Raises: a usage error."""
    if text.lower() == "none":
        return None
    number = byte_size(text) if in_bytes else _count(text)
    if number > most:
        raise usage_error(f"{text} is more than {most:,}; write none for no limit of its own")
    return number


def quotas(in_bytes: str | None, files: str | None, pins: str | None, requests_per_day: str | None) -> dict[str, Any]:
    """Those of an organisation's or a plan's quotas that were given, by their names.  Raises: a usage error."""
    given = {"quota_files": files, "quota_pins": pins, "quota_requests_per_day": requests_per_day}
    found = {} if in_bytes is None else {"quota_bytes": quota(in_bytes, in_bytes=True)}
    return found | {name: quota(text) for name, text in given.items() if text is not None}


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,40}", text):
        raise usage_error(f"{text!r} is no number; write for example 1000, or none for no limit of its own")
    return int(text)


def moment(text: str | None, option: str, now: datetime | None = None) -> datetime | None:
    """A time from ``30d``, ``12h``, ``2026-12-31``, or one with hours and a zone.  Raises: a usage error."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    try:
        if match is not None:
            return (now or datetime.now(UTC)) + int(match[1]) * _UNITS[match[2]]
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.astimezone()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise usage_error(f"{option} takes 30d, 12h or a time such as 2026-12-31, not {text!r}") from None


def read_password(from_stdin: bool) -> str:
    """A new password: one line of standard input, or asked for twice without showing it.  Raises: a usage error."""
    import sys

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise usage_error("standard input is no terminal; pipe the password in with --password-stdin")
    import getpass

    password = getpass.getpass("New password: ")
    while getpass.getpass("Once more: ") != password:
        output.note("The two are not the same; once again.")
        password = getpass.getpass("New password: ")
    return password
