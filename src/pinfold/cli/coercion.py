"""Words of the command line as values, without pydantic.

typer turns every word into a value with pydantic, whose import takes a quarter of the time that adding a small file may
take.  Our parameters are plain, so the few kinds there are stand here; any other kind is left to typer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import typer


def _path(word: str) -> Path:
    if not str(word):
        raise ValueError("an empty path names nothing; write . for the folder that you are in.")
    return Path(word)


_PLAIN: Final[dict[Any, Callable[[str], Any]]] = {str: str, Path: _path, list[str]: list, bool: bool}


class PlainValue:
    """Turns the words given for one parameter into its value."""

    def __init__(self, convert: Callable[[Any], Any]) -> None:
        self._convert = convert

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, or None where nothing was given.  Raises: a usage error that names the parameter."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            return self._convert(value)
        except ValueError as exc:
            raise typer.BadParameter(str(exc), ctx=ctx, param=param) from None


def lighten(params: Iterable[Any]) -> None:
    """Give parameters these conversions in place of typer's."""
    for param in params:
        convert = _conversion(param.type_descriptor.annotation, param)
        if convert is not None:
            param._runtime_param = PlainValue(convert)


def _conversion(kind: Any, param: Any) -> Callable[[Any], Any] | None:
    if kind is int:
        info = param.type_descriptor.parameter_info
        return lambda value: _whole_number(value, info.min, info.max)
    if get_origin(kind) is Literal:
        return lambda value: _one_of(value, get_args(kind))
    return _PLAIN.get(kind)


def _whole_number(value: str | int, least: float | None, most: float | None) -> int:
    try:
        number = int(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a whole number.") from None
    if least is not None and number < least:
        raise ValueError(f"{number} is less than {least}.")
    if most is not None and number > most:
        raise ValueError(f"{number} is more than {most}.")
    return number


def _one_of(value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{value!r} is not one of {', '.join(choices)}.")
    return value
