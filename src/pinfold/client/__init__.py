"""A Pinfold somewhere else, as programs and the command line call it."""

from pinfold.client.login import Login
from pinfold.client.pushing import Pushed, push
from pinfold.client.server import Server

__all__ = ["Login", "Pushed", "Server", "push"]
