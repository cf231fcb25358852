"""``pinfold cid format``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from pinfold.cli import output
from pinfold.cli.options import codec_code, usage_error, words_or_lines
from pinfold.core.cid import BASE_PREFIXES, CID, base_of, codec_name, encode_multibase
from pinfold.core.multihash import name_of, split


def command(
    cids: Annotated[
        list[str] | None, typer.Argument(metavar="CID", help="What to format; none is lines of standard input.")
    ] = None,
    pattern: Annotated[str, typer.Option("-f", metavar="FORMAT", help="What to print; see above.")] = "%s",
    version: Annotated[
        int | None, typer.Option("-v", metavar="N", min=0, max=1, help="Convert to this version.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("-b", metavar="BASE", help="base32, base36, base58btc, base16, base64url ...")
    ] = None,
    codec: Annotated[
        str | None, typer.Option("--codec", "--mc", metavar="NAME", help="Say that it is of this codec.")
    ] = None,
) -> None:
    """Write CIDs in another form.

    FORMAT is text with: %s the CID, %S without its multibase prefix, %b %B name and letter of the multibase, %v %V
    version, %c %C name and number of the codec, %h %H name and number of the hash function, %L the digest's length,
    %m %M the multihash, %d %D the digest, each with and without the multibase prefix, %P the prefix cidvN-CODEC-HASH-L,
    %% a percent sign.

    Example:
      pinfold cid format -v 1 -b base32 QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN
      pinfold cid format -f '%P %d' bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
    """
    if "%" not in pattern:
        raise usage_error(f"{pattern!r} has no % in it, so every CID would print the same")
    if base is not None and base not in BASE_PREFIXES:
        raise usage_error(f"unknown multibase {base!r}; known: {', '.join(BASE_PREFIXES)}")
    if version == 0 and base not in (None, "base58btc"):
        raise usage_error("a CIDv0 is always written in base58btc")
    code = None if codec is None else codec_code(codec)
    for text in words_or_lines(cids):
        cid = CID.parse(text)
        if code is not None and code != cid.codec:
            cid = CID(1, code, cid.multihash)
        if version == 0:
            cid = cid.to_v0()
        elif version == 1 or base is not None:
            cid = cid.to_v1()
        written_in = "base58btc" if cid.version == 0 else base or base_of(text)
        output.line(format_cid(pattern, cid, written_in))


def format_cid(pattern: str, cid: CID, base: str) -> str:
    """``pattern`` filled in.  Raises: a usage error for a letter that means nothing."""
    result, rest = "", iter(pattern)
    for char in rest:
        if char != "%":
            result += char
            continue
        letter = next(rest, "")
        if letter not in _FILL:
            raise usage_error(f"%{letter} means nothing in a format" if letter else "the format ends in a lone %")
        result += _FILL[letter](cid, base)
    return result


_FILL: Final[dict[str, Callable[[CID, str], str]]] = {
    "%": lambda cid, base: "%",
    "b": lambda cid, base: base,
    "B": lambda cid, base: BASE_PREFIXES[base],
    "v": lambda cid, base: f"cidv{cid.version}",
    "V": lambda cid, base: str(cid.version),
    "c": lambda cid, base: codec_name(cid.codec),
    "C": lambda cid, base: str(cid.codec),
    "h": lambda cid, base: name_of(cid.hash_code),
    "H": lambda cid, base: str(cid.hash_code),
    "L": lambda cid, base: str(len(split(cid.multihash)[1])),
    "m": lambda cid, base: encode_multibase(cid.multihash, base),
    "M": lambda cid, base: encode_multibase(cid.multihash, base)[1:],
    "d": lambda cid, base: encode_multibase(split(cid.multihash)[1], base),
    "D": lambda cid, base: encode_multibase(split(cid.multihash)[1], base)[1:],
    "s": lambda cid, base: cid.encode(base),
    "S": lambda cid, base: encode_multibase(cid.bytes, base)[1:],
    "P": lambda cid, base: (
        f"cidv{cid.version}-{codec_name(cid.codec)}-{name_of(cid.hash_code)}-{len(split(cid.multihash)[1])}"
    ),
}
