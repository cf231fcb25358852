"""``pinfold logout``."""

from __future__ import annotations

from pinfold.cli import output


def command() -> None:
    """Forget the server and the token that login kept.

    The token itself stays good: `pinfold token revoke` on the server, or the API, ends it.

    Example:
      pinfold logout
    """
    from pinfold.client.login import forget

    output.line("signed out" if forget() else "nobody was signed in")
