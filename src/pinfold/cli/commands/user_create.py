"""``pinfold user create``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, PasswordStdin, RoleName, administer, fields_of, read_password, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import User


def command(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Their name.")] = "",
    org: Org = None,
    role: RoleName = "member",
    administrator: Annotated[
        bool, typer.Option("--administrator", help="Let them look after the whole server.")
    ] = False,
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make a user with a password, a member of an organisation.

    The password is asked for.  `pinfold user invite` lets people choose their own.

    --json prints {"id", "email", "name", "is_administrator"}.

    Example:
      echo "a long password" | pinfold user create eve@example.org --role member --password-stdin
    """
    password = read_password(password_stdin)

    async def create(admin: Administration) -> User:
        from pinfold.services.accounts import Role

        caller = await admin.caller(org)
        made = await admin.users.create(caller, email, name, password)
        await admin.members.add(caller, made.id, Role(role))
        if administrator:
            made = await admin.users.update(caller, made.id, is_administrator=True)
        return made

    made = administer(data_dir, create)
    if as_json:
        output.json_line(fields_of(made, "id", "email", "name", "is_administrator"))
    else:
        output.line(f"created {shown(made.email)}")
