"""``pinfold user list``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pinfold.cli import output
from pinfold.cli.administering import administer, fields_of, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import User


def _status(user: User) -> str:
    is_locked = user.locked_until is not None and user.locked_until > datetime.now(UTC)
    return "locked" if is_locked and user.status == "active" else user.status


def command(as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the users of this server, newest first.

    Columns are e-mail, status, whether they administer the server, the last sign-in (UTC) and the name.  The status is
    active, disabled, or locked: after wrong passwords from many addresses none is tried from an address that the user
    has not signed in from, until the time that --json has; `pinfold user enable` ends it.

    --json prints {"id", "email", "name", "is_administrator", "status", "locked_until", "last_sign_in_at",
    "created_at"} for each.

    Example:
      pinfold user list
    """

    async def all_of_them(admin: Administration) -> list[User]:
        from pinfold.app.administration import every
        from pinfold.services.accounts import operator

        anyone = operator("")
        return [one async for one in every(lambda page: admin.users.page(anyone, page), lambda one: one.id)]

    found = administer(data_dir, all_of_them)
    if as_json:
        for one in found:
            output.json_line(fields_of(one))
    else:
        output.columns(
            [
                (
                    shown(one.email),
                    _status(one),
                    "administrator" if one.is_administrator else "-",
                    shown(one.last_sign_in_at),
                    shown(one.name),
                )
                for one in found
            ]
        )
