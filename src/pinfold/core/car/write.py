"""Write a CARv1: the header, then records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from pinfold.core import varint
from pinfold.core.car.header import encode_header
from pinfold.core.multihash import Buffer


def record_prefix(cid: bytes, data_len: int) -> bytes:
    """What stands before a block's bytes: the length of the record and the binary CID."""
    return varint.encode(len(cid) + data_len) + cid


class CarWriter:
    """Blocks in, CARv1 out; the header is written at once, and nothing is buffered or closed here.

    ``offset`` is how many bytes were written: where the next record begins.
    """

    def __init__(self, stream: BinaryIO, roots: Sequence[bytes] = ()) -> None:
        self._stream = stream
        header = encode_header(roots)
        stream.write(header)
        self.offset = len(header)

    def write(self, cid: bytes, data: Buffer) -> None:
        """Append one block, whose CID the caller vouches for."""
        prefix = record_prefix(cid, len(data))
        self._stream.write(prefix)
        self._stream.write(data)
        self.offset += len(prefix) + len(data)
