"""``pinfold whoami``."""

from __future__ import annotations

from pinfold.cli import output
from pinfold.cli.options import Json
from pinfold.cli.remote import identity, open_server


def command(as_json: Json = False) -> None:
    """Show which server this user is signed in to, and what the token may do.

    --json prints {"server", "organisation", "user", "scopes"}.

    Example:
      pinfold whoami
    """
    with open_server() as server:
        who = identity(server)
    if as_json:
        output.json_line(who)
        return
    output.line(f"server        {server.url}")
    output.line(f"organisation  {output.printable(str(who['organisation']))}")
    output.line(f"user          {output.printable(str(who['user'] or '-'))}")
    scopes = who["scopes"]
    output.line(f"may           {' '.join(map(str, scopes)) if isinstance(scopes, list) else '-'}")
