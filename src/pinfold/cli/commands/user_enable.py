"""``pinfold user enable``."""

from __future__ import annotations

from pinfold.cli import output
from pinfold.cli.administering import shown
from pinfold.cli.commands.user_disable import Email, change_user
from pinfold.cli.options import DataDir


def command(email: Email, data_dir: DataDir = None) -> None:
    """Let a disabled user in again, or one who has to wait after wrong passwords.

    Sessions and tokens that disabling ended stay so.

    Example:
      pinfold user enable adam@example.org
    """
    output.line(f"enabled {shown(change_user(email, data_dir, status='active', unlock=True).email)}")
