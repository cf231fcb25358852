from __future__ import annotations

import pytest

from pinfold.core.errors import NotUnixFS
from pinfold.unixfs import message
from pinfold.unixfs.message import Message, Metadata, decode


def test_what_is_encoded_is_decoded() -> None:
    metadata = Metadata(0o4755, (-1, 999_999_999))
    assert decode(message.encode_file(message.FILE, 300, [100, 200], metadata)) == Message(
        message.FILE, None, 300, [100, 200], None, None, 0o4755, (-1, 999_999_999)
    )
    before, behind = message.leaf_frame(message.RAW, 3)
    assert decode(before + b"abc" + behind) == Message(message.RAW, b"abc", 3, [], None, None, None, None)
    assert decode(message.encode_hamt(b"\x01\x00", 256, Metadata(mtime=(5, 0)))) == Message(
        message.HAMT, b"\x01\x00", None, [], 0x22, 256, None, (5, 0)
    )
    assert decode(message.encode_symlink(b"../a")).data == b"../a"


def test_mode_and_nanoseconds_of_zero_are_not_written() -> None:
    assert message.encode_metadata(Metadata(mode=0)) == b""
    assert message.encode_metadata(Metadata(mtime=(1, 0))) == b"\x42\x02\x08\x01"
    assert message.encode_metadata(Metadata()) == b""


def test_the_kind_of_file_that_a_mode_names_is_not_written() -> None:
    assert message.encode_metadata(Metadata(mode=0o100644)) == message.encode_metadata(Metadata(mode=0o644))


def test_the_epoch_itself_is_a_time() -> None:
    assert decode(message.encode_directory(Metadata(mtime=(0, 0)))).mtime == (0, 0)


def test_block_sizes_may_be_packed() -> None:
    assert decode(b"\x08\x02\x22\x03\x05\xac\x02").blocksizes == [5, 300]


def test_unknown_fields_are_passed_over() -> None:
    unknown = b"\x48\x07" + b"\x52\x02hi" + b"\x59" + bytes(8) + b"\x65" + bytes(4)
    assert decode(b"\x08\x01" + unknown).kind == message.DIRECTORY


def test_nanoseconds_that_cannot_be_make_the_time_absent() -> None:
    stamp = b"\x08\x01\x15" + (1_000_000_000).to_bytes(4, "little")
    assert decode(b"\x08\x02\x42" + bytes((len(stamp),)) + stamp).mtime is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x12\x01a",  # no type
        b"\x08\x06",  # a type that is none
        b"\x08",  # cut off
        b"\x08\x80",
        b"\x08\x02\x12\x05abc",
        b"\x08\x02\x18" + b"\xff" * 9 + b"\x02",  # over 64 bits
        b"\x08\x02\x18" + b"\xff" * 10 + b"\x01",  # over ten bytes
        b"\x0a\x01\x02",  # type as bytes
        b"\x08\x02\x10\x05",  # data as a number
        b"\x08\x02\x1a\x01\x05",  # size as bytes
        b"\x08\x02\x25" + bytes(3),  # four bytes announced, three there
        b"\x08\x02\x42\x00",  # a time without seconds
        b"\x08\x02\x42\x04\x08\x01\x10\x01",  # nanoseconds as a varint
        b"\x08\x02\x43",  # a group, which protobuf gave up
        b"\x00\x01",  # field 0
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(NotUnixFS):
        decode(data)
