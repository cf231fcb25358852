"""``pinfold user set-password``."""

from __future__ import annotations

from pinfold.cli import output
from pinfold.cli.administering import PasswordStdin, read_password, shown
from pinfold.cli.commands.user_disable import Email, change_user
from pinfold.cli.options import DataDir


def command(email: Email, password_stdin: PasswordStdin = False, data_dir: DataDir = None) -> None:
    """Give a user another password; their sessions and tokens end.

    Example:
      echo "another long password" | pinfold user set-password adam@example.org --password-stdin
    """
    password = read_password(password_stdin)
    output.line(f"changed the password of {shown(change_user(email, data_dir, password=password).email)}")
