"""``pinfold login``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import Json, usage_error
from pinfold.cli.remote import identity


def command(
    url: Annotated[str, typer.Argument(metavar="URL", help="The server's API, such as https://pin.example.org.")],
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input, and ask nobody.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remember a server and a token for push, pins and files.

    The token is asked for without showing it, tried, and kept in a file that only you can read.  PINFOLD_SERVER and
    PINFOLD_TOKEN do the same for one command and win over it.

    --json prints {"server", "organisation", "user", "scopes"}.

    Example:
      pinfold login http://127.0.0.1:3000
      echo "$TOKEN" | pinfold login https://pin.example.org --token-stdin
    """
    from pinfold.client import Login, Server
    from pinfold.client.login import keep, server_url

    server = server_url(url)
    login = Login(server, _token(token_stdin))
    with Server(login) as api:
        who = identity(api)
    path = keep(login)
    if as_json:
        output.json_line(who)
    else:
        output.line(f"signed in to {server}, organisation {output.printable(str(who['organisation']))}")
        output.note(f"The token is kept in {path}.")


def _token(from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.readline().strip()
    elif sys.stdin.isatty():
        import getpass

        token = getpass.getpass("Token: ").strip()
    else:
        raise usage_error("standard input is no terminal; pipe the token in with --token-stdin")
    if not token:
        raise usage_error("the token is empty")
    return token
