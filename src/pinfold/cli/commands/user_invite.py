"""``pinfold user invite``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, RoleName, administer, fields_of, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Invitation


def command(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address.")],
    org: Org = None,
    role: RoleName = "member",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Invite somebody to an organisation.

    Who is a user already accepts by the password they have; a new user is made by accepting.

    The invitation is printed once, and is for them: within seven days `pinfold join URL` asks for it, for a name and a
    password of their own.  POST /api/v1/invitations/accept takes the three as well.

    --json prints {"id", "email", "role", "expires_at", "invitation"}.

    Example:
      pinfold user invite eve@example.org --role viewer
    """

    async def invite(admin: Administration) -> tuple[Invitation, str]:
        from pinfold.services.accounts import Role

        return await admin.members.invite(await admin.caller(org), email, Role(role))

    made, secret = administer(data_dir, invite)
    if as_json:
        output.json_line({**fields_of(made, "id", "email", "role", "expires_at"), "invitation": secret})
    else:
        output.line(secret)
        output.note(f"For {shown(made.email)}, as {made.role}, until {shown(made.expires_at)} UTC; shown this once.")
