"""``pinfold token create``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer, fields_of, moment
from pinfold.cli.options import DataDir, Json, usage_error

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Token


def command(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What it is for.")] = "command line",
    org: Org = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it may do, such as files:read; repeatable.  Default: all but server:admin.",
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="30d, 12h or a time.  Default: never.")
    ] = None,
    uses: Annotated[int | None, typer.Option("--uses", min=1, metavar="N", help="How often it may be used.")] = None,
    administrator: Annotated[
        bool, typer.Option("--administrator", help="Let it look after the whole server as well.")
    ] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make a token for the API, printed this once.

    Nobody has to be signed in: this is also the way back in where the first token was lost.

    --json prints {"id", "name", "scopes", "expires_at", "uses_left", "token"}.

    Example:
      pinfold token create --scope files:read --scope pins:read --expires 30d --name dashboard
      pinfold token create --administrator
    """
    expires_at = moment(expires, "--expires")

    async def create(admin: Administration) -> tuple[Token, str]:
        from pinfold.services.accounts import Scope

        known = {scope.value: scope for scope in Scope}
        for word in scopes or ():
            if word not in known:
                raise usage_error(f"there is no scope {word!r}; there are {', '.join(known)}")
        wanted = {known[word] for word in scopes or known if word != Scope.SERVER_ADMIN or scopes}
        if administrator:
            wanted.add(Scope.SERVER_ADMIN)
        return await admin.tokens.create(await admin.caller(org), name, wanted, expires_at=expires_at, uses=uses)

    made, token = administer(data_dir, create)
    if as_json:
        output.json_line({**fields_of(made, "id", "name", "scopes", "expires_at", "uses_left"), "token": token})
    else:
        output.line(token)
        output.note(f"It may: {' '.join(made.scopes)}.  It is shown this once; only its hash is kept.")
