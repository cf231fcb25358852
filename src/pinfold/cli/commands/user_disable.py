"""``pinfold user disable``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer, shown
from pinfold.cli.options import DataDir

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import User

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Whose.")]


def command(email: Email, data_dir: DataDir = None) -> None:
    """Refuse a user from now on, and end their sessions and tokens for good.

    This works for everybody: also for the last owner of an organisation (`pinfold user set-role` makes another one) and
    for the last administrator of the server (`pinfold token create --administrator` makes a token without one).

    Example:
      pinfold user disable adam@example.org
    """
    made = change_user(email, data_dir, status="disabled")
    output.line(f"disabled {shown(made.email)}")
    if made.is_administrator:
        output.note("They are an administrator of the server; `pinfold user list` shows who else is one.")


def change_user(email: str, data_dir: DataDir, **values: Any) -> User:
    """The user with these values."""

    async def update(admin: Administration) -> User:
        caller = await admin.somewhere()
        found = await admin.users.by_email(caller, email)
        return await admin.users.update(caller, found.id, **values)

    return administer(data_dir, update)
