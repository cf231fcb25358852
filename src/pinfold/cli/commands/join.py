"""``pinfold join``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli.options import Json
from pinfold.cli.remote import remember, secret


def command(
    url: Annotated[str, typer.Argument(metavar="URL", help="The server's API, such as https://pin.example.org.")],
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="Your name, if you are new.  Default: it is asked for, or as in the address."
        ),
    ] = None,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin", help="Read the invitation and the password from standard input, a line each, and ask nobody."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Accept an invitation to an organisation of a server, and sign in.

    The invitation (`pfi_...`, which `pinfold user invite` prints) and a password are asked for without showing them.
    Who is a user of that server already gives the password they have, and keeps their name.  The session is kept as
    `pinfold login` keeps it.

    --json prints {"server", "organisation", "user", "scopes"}.

    Example:
      pinfold join https://pin.example.org --name Eve
      printf '%s\\n%s\\n' "$INVITATION" "$PASSWORD" | pinfold join https://pin.example.org --name Eve --stdin
    """
    from pinfold.client import Login, Server
    from pinfold.client.login import server_url

    server = server_url(url)
    invitation = secret("Invitation: ", "invitation", from_stdin=stdin, option="--stdin").strip()
    if name is None and not stdin:
        name = typer.prompt(
            "Your name (Enter, if you are a user already)", default="", show_default=False, err=True
        ).strip()
    password = secret(
        "Password (a new one, or the one you have on this server): ",
        "password",
        from_stdin=stdin,
        option="--stdin",
        twice=True,
    )
    with Server(Login(server, "")) as nobody:
        session = nobody.accept_invitation(invitation, name or None, password)
    remember(Login(server, session, is_session=True), as_json)
