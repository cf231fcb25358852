"""``pinfold whoami``."""

from __future__ import annotations

from pinfold.cli import output
from pinfold.cli.options import Json
from pinfold.cli.remote import open_server


def command(as_json: Json = False) -> None:
    """Show which server this user is signed in to, and what the token may do.

    --json prints {"server", "organisation", "name", "scopes"}.

    Example:
      pinfold whoami
    """
    with open_server() as server:
        me = server.me()
        organisation, scopes = me["organisation"]["name"], list(me["scopes"])
        if as_json:
            output.json_line({"server": server.url, "organisation": organisation, "name": me["name"], "scopes": scopes})
            return
        output.line(f"server        {server.url}")
        output.line(f"organisation  {output.printable(organisation)}")
        output.line(f"name          {output.printable(me['name'])}")
        output.line(f"may           {' '.join(scopes)}")
