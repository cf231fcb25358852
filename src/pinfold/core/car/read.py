"""Read a CAR from any stream, a pipe too: records in order, nothing held but one buffer.

What a record may not be is said with the byte where it begins, and before its bytes are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, NoReturn

from pinfold.core import multihash, varint
from pinfold.core.binary_cid import multihash_of, split_cid
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.car.header import (
    V2_HEADER_BYTES,
    Header,
    V2Header,
    header_length,
    parse_header,
    parse_v2_header,
)
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, BlockTooLarge, InvalidCID, InvalidVarint, MalformedCar, UnknownHash

READ_BYTES: Final = 1024 * 1024
MAX_CID_BYTES: Final = 256  # an identity CID of 128 bytes and the longest digests fit well
_RUN_RECORDS: Final = 1 << 14  # of tiny blocks a run would have 150,000, whose columns are larger than the bytes
_MAX_SECTION_BYTES: Final = MAX_BLOCK_BYTES + MAX_CID_BYTES


class Record(NamedTuple):
    """One block of a CAR, not yet hashed; ``offset`` is where its record begins in the stream."""

    cid: bytes
    data: bytes
    offset: int


class Run(NamedTuple):
    """Records that follow each other in ``buffer[:stop]``, by column; nothing is hashed yet.

    Units:  ``starts`` are offsets of payloads in the buffer, ``sizes`` are of whole records, ``offset`` is where the
            run begins in the stream; ``codecs`` has ``V0_CODEC`` for a CIDv0.
    """

    buffer: bytearray
    stop: int
    offset: int
    multihashes: list[bytes]
    starts: list[int]
    lengths: list[int]
    sizes: list[int]
    codecs: list[int]


V0_CODEC: Final = -1


def parse_run(buffer: bytearray, end: int, offset: int) -> Run:
    """The plain records from the begin of ``buffer`` on, up to the first that is not plain or not whole."""
    multihashes: list[bytes] = []
    starts: list[int] = []
    lengths: list[int] = []
    sizes: list[int] = []
    codecs: list[int] = []
    at = 0
    try:
        while at < end and len(starts) < _RUN_RECORDS:
            size = buffer[at]
            begin = at + 1
            if size >= 0x80:
                more = buffer[begin]
                begin += 1
                if more < 0x80:
                    if not more:
                        break  # not minimal
                    size = size & 0x7F | more << 7
                else:
                    size, begin = varint.decode(buffer, at)
            stop = begin + size
            if stop > end or size > MAX_BLOCK_BYTES:
                break
            cid = bytes(buffer[begin : begin + 36])
            if cid[0] == 1 and cid[2:4] == b"\x12\x20" and cid[1] < 0x80:
                codec, split, multihash = cid[1], begin + 36, cid[2:]
            elif cid[:2] == b"\x12\x20":
                codec, split, multihash = V0_CODEC, begin + 34, cid[:34]
            else:
                break
            if split > stop:
                break
            multihashes.append(multihash)
            starts.append(split)
            lengths.append(stop - split)
            sizes.append(stop - at)
            codecs.append(codec)
            at = stop
    except (IndexError, InvalidVarint):
        pass  # cut off here, or wrong: the slow way knows which
    return Run(buffer, at, offset, multihashes, starts, lengths, sizes, codecs)


class CarReader:
    """The header and the records of one CAR; iterate once.

    ``header`` has the version and the roots, ``v2`` the outer header of a CARv2, and ``offset`` is where in the stream
    reading stands: the begin of the record that is read, also when it was refused.

    Of a CARv2 the data is read, the index behind it is not.

    Raises:  MalformedCar from the constructor; MalformedCar and BlockTooLarge while iterating.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._position = 0  # in the buffer
        self._base = 0  # where in the stream the buffer begins
        self._left: int | None = None  # bytes of a CARv2's data that were not yet taken from the stream
        self.offset = 0
        self.v2: V2Header | None = None
        self.header = self._read_header()
        if self.header.version == 2:
            self.v2 = self._enter_v2()
            inner = self._read_header()
            if inner.version != 1:
                raise MalformedCar(f"the CARv2 has another CARv2 inside of it at byte {self.v2.data_offset}")
            self.header = Header(2, inner.roots)
        self.offset = self._base + self._position

    def __iter__(self) -> Iterator[Record]:
        while True:
            buffer, start = self._buffer, self._position
            self.offset = self._base + start
            if len(buffer) - start < varint.MAX_VARINT_BYTES + MAX_CID_BYTES:
                self._fill(varint.MAX_VARINT_BYTES + MAX_CID_BYTES)
                buffer, start = self._buffer, self._position
                if start == len(buffer):
                    return
            first = buffer[start]
            if first >= 0x80 and start + 1 < len(buffer) and 0 < (second := buffer[start + 1]) < 0x80:
                size, begin = first & 0x7F | second << 7, start + 2  # most small blocks, without two calls
            else:
                size, begin = self._section(buffer, start)
            end = begin + size
            if end > len(buffer):
                self._check_size(buffer, begin, size)
                self._fill(end - start)
                buffer = self._buffer
                begin, end, start = begin - start, end - start, 0
                if end > len(buffer):
                    self._refuse(f"is cut off at byte {self._base + len(buffer)}; {size:,} bytes were announced")
            if buffer[begin : begin + 2] == b"\x12\x20" and size >= 34:
                split = begin + 34
            elif buffer[begin] == 1 and buffer[begin + 2 : begin + 4] == b"\x12\x20" and size >= 36:
                split = begin + 36 if buffer[begin + 1] < 0x80 else self._split(buffer, begin, end)
            else:
                split = self._split(buffer, begin, end)
            if end - split > MAX_BLOCK_BYTES:
                self._refuse_size(end - split)
            self._position = end
            yield Record(buffer[begin:split], buffer[split:end], self.offset)

    def runs(self, run_bytes: int, spare: list[bytearray]) -> Iterator[Run | Record]:
        """The same records in runs of about ``run_bytes``: what is plain in columns, the rest as single records.

        A record is plain where its CID has sha2-256; behind the first that is not, everything comes singly.  Whoever
        is done with a run puts its buffer into ``spare``: fresh memory costs more than reading into it.
        """
        rest = memoryview(self._buffer)[self._position :]
        self._base += self._position
        while True:
            buffer = spare.pop() if spare else bytearray(run_bytes + _MAX_SECTION_BYTES + varint.MAX_VARINT_BYTES)
            filled = len(rest)
            buffer[:filled] = rest
            filled = self._read_into(buffer, filled)
            self.offset = self._base
            run = parse_run(buffer, filled, self._base)
            if run.stop == 0:
                # The end, or something odd: from here on the slow way judges.
                self._buffer, self._position = bytes(memoryview(buffer)[:filled]), 0
                yield from self
                return
            rest = memoryview(bytes(memoryview(buffer)[run.stop : filled]))
            self._base += run.stop
            yield run

    def _read_into(self, buffer: bytearray, filled: int) -> int:
        """Fill the buffer from byte ``filled`` on as far as the data goes; where it is filled to then."""
        view = memoryview(buffer)
        if self._left is not None:
            view = view[: min(len(view), filled + self._left)]
        readinto = getattr(self._stream, "readinto", None)
        while filled < len(view):
            if readinto is not None:
                count = readinto(view[filled:]) or 0
            else:
                data = self._stream.read(len(view) - filled)
                count = len(data)
                view[filled : filled + count] = data
            if count == 0:
                break
            filled += count
            if self._left is not None:
                self._left -= count
        return filled

    def _section(self, buffer: bytes, start: int) -> tuple[int, int]:
        """The length of the record at ``start`` without its prefix, and where it begins."""
        try:
            size, begin = varint.decode(buffer, start)
        except InvalidVarint:
            self._refuse("has no valid length")
        if size == 0:
            self._refuse("has length zero")
        if size > _MAX_SECTION_BYTES:
            self._refuse_size(size)
        return size, begin

    def _split(self, buffer: bytes, begin: int, end: int) -> int:
        """Where the CID at ``begin`` ends, the long way."""
        try:
            split = split_cid(buffer[begin : min(end, begin + MAX_CID_BYTES)])
        except (InvalidCID, InvalidVarint) as exc:
            self._refuse(f"does not begin with a valid CID: {exc}")
        return begin + split

    def _check_size(self, buffer: bytes, begin: int, size: int) -> None:
        """Refuse a block over the limit by what is at hand, before the rest of it is read."""
        if size > MAX_BLOCK_BYTES and len(buffer) - begin >= MAX_CID_BYTES:
            data_size = size - (self._split(buffer, begin, len(buffer)) - begin)
            if data_size > MAX_BLOCK_BYTES:
                self._refuse_size(data_size)

    def _refuse(self, why: str) -> NoReturn:
        raise MalformedCar(f"the record at byte {self.offset} of the CAR {why}")

    def _refuse_size(self, size: int) -> NoReturn:
        raise BlockTooLarge(
            f"the record at byte {self.offset} of the CAR holds {size:,} bytes; a block has at most {MAX_BLOCK_BYTES:,}"
        )

    def _fill(self, wanted: int) -> None:
        """Move on in the stream until ``wanted`` bytes stand from the position on, or the data ends."""
        parts = [self._buffer[self._position :]]
        self._base += self._position
        self._position = 0
        have = len(parts[0])
        while have < wanted and self._left != 0:
            ask = max(wanted - have, READ_BYTES)
            part = self._stream.read(ask if self._left is None else min(ask, self._left))
            if not part:
                if self._left:
                    end = self._base + have
                    raise MalformedCar(
                        f"the CARv2 is cut off at byte {end}; {self._left:,} bytes of its data are missing"
                    )
                break
            if self._left is not None:
                self._left -= len(part)
            parts.append(part)
            have += len(part)
        self._buffer = b"".join(parts)

    def _read_header(self) -> Header:
        self.offset = self._base + self._position
        self._fill(varint.MAX_VARINT_BYTES)
        # The messages of header.py count from the buffer's begin: here that is the header's own begin.
        try:
            size, start = header_length(self._buffer)
            self._fill(start + size)
            header, self._position = parse_header(self._buffer)
        except MalformedCar as exc:
            if self.offset == 0:
                raise
            raise MalformedCar(f"inside the CARv2, at byte {self.offset}: {exc}") from None
        return header

    def _enter_v2(self) -> V2Header:
        """Read the CARv2 header, go to where its data begins, and let nothing behind the data be read."""
        self._fill(V2_HEADER_BYTES)
        v2 = parse_v2_header(self._buffer[:V2_HEADER_BYTES])
        skip = v2.data_offset - self._base
        while len(self._buffer) < skip:
            skip -= len(self._buffer)
            self._base += len(self._buffer)
            self._buffer = self._stream.read(READ_BYTES)
            if not self._buffer:
                raise MalformedCar(f"the CARv2 is cut off at byte {self._base}; its data begins at {v2.data_offset}")
        self._buffer = self._buffer[skip : skip + v2.data_size]
        self._base = v2.data_offset
        self._left = v2.data_size - len(self._buffer)
        return v2


def verify_record(record: Record) -> None:
    """Check that a record's bytes are what its CID says.

    Raises:  BlockCorrupt, InsecureHash, IdentityTooLarge, UnknownHash, InvalidCID; each names the CID and the offset.
    """
    digest = multihash_of(record.cid)
    where = f"the record at byte {record.offset} of the CAR"
    try:
        if multihash.matches(digest, record.data):
            return
    except (InvalidCID, UnknownHash) as exc:
        raise type(exc)(f"{where} has the CID {CID.from_bytes(record.cid)}: {exc}") from None
    raise BlockCorrupt(f"{where} holds bytes that do not match its CID {CID.from_bytes(record.cid)}")
