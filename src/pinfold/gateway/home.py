"""The page at ``/``: what this is, and how to ask it."""

from __future__ import annotations

from importlib import resources


def page() -> str:
    """The page as HTML."""
    return resources.files("pinfold.gateway").joinpath("templates/home.html").read_text("utf-8")
