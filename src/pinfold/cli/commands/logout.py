"""``pinfold logout``."""

from __future__ import annotations

from pinfold.cli import output


def command() -> None:
    """Forget the server and the token that login kept.

    A session, which a password was given for, is ended on the server as well.  A token stays good:
    `pinfold token revoke` on the server, or the API, ends it.

    Example:
      pinfold logout
    """
    from pinfold.client import Server
    from pinfold.client.login import forget, kept
    from pinfold.core.errors import PinfoldError, Unauthorised

    login = kept()
    if login is not None and login.is_session:
        try:
            with Server(login) as api:
                api.sign_out()
        except Unauthorised:
            pass  # it was over already
        except PinfoldError as exc:  # forgotten all the same: that is what was asked for
            output.note(f"The session is not ended on the server, and lasts its twelve hours: {exc}")
    output.line("signed out" if forget() else "nobody was signed in")
