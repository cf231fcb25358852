"""Patterns of names to leave out, with the meaning that git gives them in a .gitignore.

A pattern that git cannot use matches nothing.  Names and patterns are bytes, as git compares them.

Source:  git-scm.com/docs/gitignore; compared with ``git check-ignore`` over generated lists in a test.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

_SPECIAL: Final = b"*?[\\"
_SLASH: Final = 0x2F


def _bytes_of(characters: str) -> frozenset[int]:
    return frozenset(characters.encode())


_CLASSES: Final = {
    b"alnum": _bytes_of(string.ascii_letters + string.digits),
    b"alpha": _bytes_of(string.ascii_letters),
    b"blank": _bytes_of(" \t"),
    b"cntrl": frozenset((*range(32), 127)),
    b"digit": _bytes_of(string.digits),
    b"graph": frozenset(range(33, 127)),
    b"lower": _bytes_of(string.ascii_lowercase),
    b"print": frozenset(range(32, 127)),
    b"punct": _bytes_of(string.punctuation),
    b"space": _bytes_of(string.whitespace),
    b"upper": _bytes_of(string.ascii_uppercase),
    b"xdigit": _bytes_of(string.hexdigits),
}


class _Pattern(NamedTuple):
    text: bytes
    literal: int
    """How many of its first bytes have no special meaning."""
    excludes: bool
    folders_only: bool
    names_only: bool
    """Compared with the last part of a path, at any depth."""

    def matches(self, path: bytes, is_folder: bool) -> bool:
        """Whether it speaks of a path (without a slash at its end)."""
        if self.folders_only and not is_folder:
            return False
        text, literal = self.text, self.literal
        if self.names_only:
            name = path.rpartition(b"/")[2]
            return name == text if literal == len(text) else _Glob(text, name, False).matches()
        if text[:1] == b"/":
            text, literal = text[1:], max(0, literal - 1)
        if path[:literal] != text[:literal]:
            return False
        if literal == len(text):
            return len(path) == literal
        return _Glob(text[literal:], path[literal:], True).matches()


class Ignore:
    """A list of patterns, of which the last that matches decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        parsed = (_parse(line.encode("utf-8", "surrogateescape")) for line in lines)
        self._patterns: Sequence[_Pattern] = [one for one in parsed if one is not None][::-1]

    def leaves_out(self, path: bytes, is_folder: bool) -> bool:
        """Whether a path is left out; what lies in a folder that is left out is not asked about."""
        return next((one.excludes for one in self._patterns if one.matches(path, is_folder)), False)


def _parse(line: bytes) -> _Pattern | None:
    text = _without_spaces_at_end(line.removesuffix(b"\r"))
    if not text or text[:1] == b"#":
        return None
    excludes = text[:1] != b"!"
    text = text if excludes else text[1:]
    folders_only = text.endswith(b"/")
    text = text.removesuffix(b"/")
    literal = next((at for at, byte in enumerate(text) if byte in _SPECIAL), len(text))
    return _Pattern(text, literal, excludes, folders_only, b"/" not in text) if text else None


def _without_spaces_at_end(line: bytes) -> bytes:
    """A line without the spaces at its end, but for those behind a backslash."""
    end, at = 0, 0
    while at < len(line):
        if line[at : at + 1] == b"\\":
            if at + 1 == len(line):
                return line
            at += 1
            end = at + 1
        elif line[at : at + 1] != b" ":
            end = at + 1
        at += 1
    return line[:end]


class _Glob:
    """One pattern and one text; ``by_path``: an asterisk stops at slashes, and two of them do not."""

    def __init__(self, pattern: bytes, text: bytes, by_path: bool) -> None:
        self._pattern = pattern
        self._text = text
        self._by_path = by_path
        self._failed: set[tuple[int, int]] = set()  # so that many asterisks do not multiply the work

    def matches(self) -> bool:
        """Whether the whole text fits the whole pattern."""
        return self._from(0, 0)

    def _from(self, at: int, begin: int) -> bool:
        if (at, begin) in self._failed:
            return False
        found = self._try(at, begin)
        if not found:
            self._failed.add((at, begin))
        return found

    def _try(self, start: int, begin: int) -> bool:
        pattern, text = self._pattern, self._text
        at, here = start, begin
        while at < len(pattern):
            byte = pattern[at]
            if byte == 0x2A:
                return self._asterisk(start, at, here)
            if here == len(text):
                return False
            if byte == 0x5B:
                found = _bracket(pattern, at, text[here])
                if found is None or not found[0] or (self._by_path and text[here] == _SLASH):
                    return False
                at = found[1]
            else:
                if byte == 0x5C:
                    at += 1
                    if at == len(pattern):
                        return False
                    byte = pattern[at]
                    fits = text[here] == byte
                elif byte == 0x3F:
                    fits = not (self._by_path and text[here] == _SLASH)
                else:
                    fits = text[here] == byte
                if not fits:
                    return False
                at += 1
            here += 1
        return here == len(text)

    def _asterisk(self, start: int, at: int, here: int) -> bool:
        """One or more asterisks at ``at``; where the comparison began tells whether two of them cross slashes."""
        pattern, text = self._pattern, self._text
        behind = at
        while behind < len(pattern) and pattern[behind] == 0x2A:
            behind += 1
        crosses = not self._by_path
        if not crosses and behind - at > 1:
            rest = pattern[behind : behind + 2]
            if (at == start or pattern[at - 1] == _SLASH) and (rest[:1] in (b"", b"/") or rest == b"\\/"):
                if rest[:1] == b"/" and self._from(behind + 1, here):
                    return True
                crosses = True
        if behind == len(pattern):
            return crosses or text.find(b"/", here) < 0
        while True:
            if self._from(behind, here):
                return True
            if here == len(text) or (not crosses and text[here] == _SLASH):
                return False
            here += 1


def _bracket(pattern: bytes, at: int, byte: int) -> tuple[bool, int] | None:
    """Whether a byte is in the set that begins at ``at``, and where the set ends; None for what is no set."""
    size = len(pattern)
    at += 1
    negated = at < size and pattern[at] in b"!^"
    at += negated
    found, previous = False, 0
    first = True
    while first or at >= size or pattern[at] != 0x5D:
        first = False
        if at >= size:
            return None
        one = pattern[at]
        if one == 0x5C:
            at += 1
            if at >= size:
                return None
            one = pattern[at]
            found = found or byte == one
        elif one == 0x2D and previous and at + 1 < size and pattern[at + 1] != 0x5D:
            at += 1
            if pattern[at] == 0x5C:
                at += 1
                if at >= size:
                    return None
            found = found or previous <= byte <= pattern[at]
            one = 0
        elif one == 0x5B and pattern[at + 1 : at + 2] == b":":
            end = pattern.find(b"]", at + 2)
            if end < 0:
                return None
            if end > at + 2 and pattern[end - 1] == 0x3A:
                members = _CLASSES.get(pattern[at + 2 : end - 1])
                if members is None:
                    return None
                found = found or byte in members
                at, one = end, 0
            else:
                found = found or byte == one
        else:
            found = found or byte == one
        previous = one
        at += 1
    return found != negated, at + 1
