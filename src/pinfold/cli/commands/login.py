"""``pinfold login``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli.options import Json, usage_error
from pinfold.cli.remote import remember, secret


def command(
    url: Annotated[str, typer.Argument(metavar="URL", help="The server's API, such as https://pin.example.org.")],
    email: Annotated[
        str | None, typer.Option("--email", metavar="EMAIL", help="Sign in by a password, as the user of this address.")
    ] = None,
    org: Annotated[
        str | None,
        typer.Option("--org", metavar="SLUG", help="The organisation, with --email.  Default: the first one joined."),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, and ask nobody.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input, and ask nobody.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign in to a server, by a token or a password, for push, pins and files.

    A token, or with --email a password, is asked for without showing it and tried.  The token, or the session that is
    got for the password (it ends after twelve hours, or by `pinfold logout`), is kept in a file that only you can read.
    PINFOLD_SERVER and PINFOLD_TOKEN do the same for one command and win over it.

    --json prints {"server", "organisation", "user", "scopes"}.

    Example:
      pinfold login http://127.0.0.1:3000
      pinfold login https://pin.example.org --email eve@example.org
      echo "$TOKEN" | pinfold login https://pin.example.org --token-stdin
    """
    from pinfold.client import Login, Server
    from pinfold.client.login import server_url

    if email is None and (password_stdin or org is not None):
        raise usage_error("--password-stdin and --org are for signing in with --email")
    if email is not None and token_stdin:
        raise usage_error("--email asks for a password, --token-stdin takes a token: one of the two")
    server = server_url(url)
    if email is None:
        token = secret("Token: ", "token", from_stdin=token_stdin, option="--token-stdin").strip()
        return remember(Login(server, token), as_json)
    password = secret("Password: ", "password", from_stdin=password_stdin, option="--password-stdin")
    with Server(Login(server, "")) as nobody:
        session = nobody.sign_in(email, password, org or "")
    remember(Login(server, session, is_session=True), as_json)
