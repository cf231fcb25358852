"""Codecs: what the bytes of a block mean, and which blocks they link to."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from pinfold.core import cid as names
from pinfold.core.codec import dag_pb, raw
from pinfold.core.codec.value import MAX_DEPTH, Value
from pinfold.core.errors import UnknownCodec

__all__ = ["KNOWN", "MAX_DEPTH", "Value", "decode", "encode", "links"]

KNOWN: Final = frozenset({names.RAW, names.DAG_PB, names.DAG_CBOR, names.DAG_JSON})
_WITHOUT_LINKS: Final = frozenset({names.RAW, names.CBOR, names.JSON})


def decode(codec: int, data: bytes) -> Value:
    """The block's value in the IPLD data model.  Raises: MalformedBlock, UnknownCodec."""
    if codec == names.RAW:
        return data
    if codec == names.DAG_PB:
        return dag_pb.to_value(dag_pb.decode(data))
    value: Value = _structured(codec).decode(data)
    return value


def encode(codec: int, value: Value) -> bytes:
    """The block that spells ``value``.  Raises: MalformedBlock, UnknownCodec."""
    if codec == names.RAW:
        return raw.encode(value)
    if codec == names.DAG_PB:
        return dag_pb.encode(dag_pb.from_value(value), sort=False)
    block: bytes = _structured(codec).encode(value)
    return block


def links(codec: int, data: bytes) -> list[bytes]:
    """The binary CIDs that a block links to, in order, identity CIDs and repeated ones too.

    Raises:  MalformedBlock, UnknownCodec.
    """
    if codec == names.DAG_PB:
        return dag_pb.links(data)
    if codec in _WITHOUT_LINKS:  # not looked at: plain cbor and json have none, whatever they say
        return []
    found: list[bytes] = _structured(codec).links(data)
    return found


def _structured(codec: int) -> ModuleType:
    # Loaded at first use: most runs see nothing but files and folders.
    if codec == names.DAG_CBOR:
        from pinfold.core.codec import dag_cbor

        return dag_cbor
    if codec == names.DAG_JSON:
        from pinfold.core.codec import dag_json

        return dag_json
    raise UnknownCodec(f"the codec {names.codec_name(codec)} cannot be read here")
