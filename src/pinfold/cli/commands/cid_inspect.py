"""``pinfold cid inspect``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pinfold.cli import output
from pinfold.cli.options import Json, words_or_lines
from pinfold.core import multihash
from pinfold.core.cid import BASE_PREFIXES, CID, DAG_PB, base_of, codec_name


def command(
    cids: Annotated[
        list[str] | None, typer.Argument(metavar="CID", help="What to explain; none is lines of standard input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a CID is made of.

    --json prints {"cid", "version", "multibase": {"prefix", "name"}, "multicodec": {"code", "name"}, "multihash":
    {"code", "name", "length", "digest"}, "cid_v0", "cid_v1"}; cid_v0 is null where version 0 cannot say it.

    Example:
      pinfold cid inspect bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
    """
    for text in words_or_lines(cids):
        fields = describe(CID.parse(text), text)
        if as_json:
            output.json_line(fields)
        else:
            _print(fields)


def describe(cid: CID, text: str) -> dict[str, Any]:
    """The parts of a CID that was spelled ``text``."""
    code, digest = multihash.split(cid.multihash)
    base = base_of(text)
    version_0 = cid.codec == DAG_PB and code == multihash.SHA2_256 and len(digest) == 32
    return {
        "cid": text,
        "version": cid.version,
        "multibase": {"prefix": "" if cid.version == 0 else BASE_PREFIXES[base], "name": base},
        "multicodec": {"code": cid.codec, "name": codec_name(cid.codec)},
        "multihash": {
            "code": code,
            "name": multihash.name_of(code),
            "length": len(digest),
            "digest": digest.hex(),
        },
        "cid_v0": str(cid.to_v0()) if version_0 else None,
        "cid_v1": str(cid.to_v1()),
    }


def _print(fields: dict[str, Any]) -> None:
    base, codec, hashed = fields["multibase"], fields["multicodec"], fields["multihash"]
    implicit = ", implicit" if fields["version"] == 0 else ""
    output.line(f"CID:        {fields['cid']}")
    output.line(f"Version:    {fields['version']}")
    output.line(f"Multibase:  {base['name']} ({base['prefix'] or 'implicit'})")
    output.line(f"Multicodec: {codec['name']} ({codec['code']:#x}{implicit})")
    output.line(f"Multihash:  {hashed['name']} ({hashed['code']:#x}{implicit})")
    output.line(f"  Length:   {hashed['length']} bytes")
    output.line(f"  Digest:   {hashed['digest']}")
    output.line(f"CIDv0:      {fields['cid_v0'] or 'not possible: ' + _why_not(codec, hashed)}")
    output.line(f"CIDv1:      {fields['cid_v1']}")


def _why_not(codec: dict[str, Any], hashed: dict[str, Any]) -> str:
    if codec["name"] != "dag-pb":
        return f"it needs dag-pb, and this is {codec['name']}"
    if hashed["name"] != "sha2-256":
        return f"it needs sha2-256, and this is {hashed['name']}"
    return f"it needs a digest of 32 bytes, and this has {hashed['length']}"
