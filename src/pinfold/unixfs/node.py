"""One dag-pb node of a file or folder, decoded; whatever is wrong with it is said with its CID."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from pinfold.core.binary_cid import codec_of
from pinfold.core.cid import CID, DAG_PB, codec_name
from pinfold.core.codec import dag_pb
from pinfold.core.codec.dag_pb import PBLink
from pinfold.core.errors import MalformedBlock, PinfoldError, UnknownCodec
from pinfold.unixfs import message
from pinfold.unixfs.dag import Get, block_of
from pinfold.unixfs.message import Message


class Node(NamedTuple):
    """A block with its links and its UnixFS message."""

    block: bytes
    links: list[PBLink]
    body: Message


def load_node(cid: bytes, get: Get) -> Node:
    """The node of a binary CID; a codec that cannot be one is refused before anything is read.

    Raises:  UnknownCodec, MalformedBlock, NotUnixFS, and what ``get`` raises.
    """
    codec = codec_of(cid)
    if codec != DAG_PB:
        refuse(cid, f"is {codec_name(codec)}, which holds neither files nor folders", UnknownCodec)
    block = block_of(cid, get)
    try:
        node = dag_pb.decode(block)
        return Node(block, node.links, message.decode(node.data or b""))
    except MalformedBlock as exc:
        raise type(exc)(f"{CID.from_bytes(cid)}: {exc}") from None


def refuse(cid: bytes, why: str, error: type[PinfoldError] = MalformedBlock) -> NoReturn:
    """Raise ``error``, MalformedBlock unless said otherwise, with a sentence that begins with the CID."""
    raise error(f"{CID.from_bytes(cid)} {why}")
