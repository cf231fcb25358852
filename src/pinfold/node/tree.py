"""A folder that is put together from paths: names that cannot be in one folder are refused as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, Union

from pinfold.core.errors import UnsafeName
from pinfold.unixfs.build import Built
from pinfold.unixfs.dag import Emit
from pinfold.unixfs.directory import Entry, build_directory
from pinfold.unixfs.profile import Profile

Tree: TypeAlias = dict[str, Union[Built, "Tree"]]

MAX_DEPTH = 64
"""Folders in folders; deeper paths are refused."""


def folder_of(root: Tree, path: Sequence[str]) -> Tree:
    """The folder that a path's last name is to be put into, made where it is missing.

    Raises:  UnsafeName for a path that is there already, leads through a file, or is too deep.
    """
    if len(path) > MAX_DEPTH:
        raise UnsafeName(f"a path leads through more than {MAX_DEPTH} folders", hint="Nothing of it was kept.")
    folder = root
    for name in path[:-1]:
        below = folder.setdefault(name, {})
        if not isinstance(below, dict):
            raise UnsafeName(f"{'/'.join(path)!r} leads through {name!r}, which is a file", hint="Nothing was kept.")
        folder = below
    if path[-1] in folder:
        raise UnsafeName(f"{'/'.join(path)!r} comes twice", hint="Nothing was kept.")
    return folder


def build_tree(tree: Tree, profile: Profile, emit: Emit) -> Built:
    """The folder with everything in it, the root last."""
    entries = []
    for name, what in tree.items():
        built = build_tree(what, profile, emit) if isinstance(what, dict) else what
        entries.append(Entry(name.encode("utf-8"), built.cid, built.tsize))
    return build_directory(entries, profile, emit)
