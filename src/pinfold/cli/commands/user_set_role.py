"""``pinfold user set-role``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer, shown
from pinfold.cli.commands.user_disable import Email
from pinfold.cli.options import DataDir

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Member


def command(
    email: Email,
    role: Annotated[
        Literal["owner", "admin", "member", "viewer"],
        typer.Argument(metavar="ROLE", help="owner, admin, member or viewer."),
    ],
    org: Org = None,
    data_dir: DataDir = None,
) -> None:
    """Give a member of an organisation another role.

    It bounds their tokens at once.  The last owner keeps the role until there is another one.

    Example:
      pinfold user set-role adam@example.org owner
    """

    async def change(admin: Administration) -> Member:
        from pinfold.services.accounts import Role

        caller = await admin.caller(org)
        user = await admin.users.by_email(caller, email)
        return await admin.members.change_role(caller, user.id, Role(role))

    made = administer(data_dir, change)
    output.line(f"{shown(made.email)} is {made.role} now")
