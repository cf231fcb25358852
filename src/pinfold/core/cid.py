"""Content identifiers: parsing, printing, and the byte form that everything inside works on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import total_ordering
from typing import Final

from pinfold.core import multihash as mh
from pinfold.core import varint
from pinfold.core.errors import InvalidCID, PinfoldError

RAW: Final = 0x55
DAG_PB: Final = 0x70
DAG_CBOR: Final = 0x71
DAG_JSON: Final = 0x0129
LIBP2P_KEY: Final = 0x72
CBOR: Final = 0x51
JSON: Final = 0x0200

CODEC_NAMES: Final[dict[int, str]] = {
    RAW: "raw",
    DAG_PB: "dag-pb",
    DAG_CBOR: "dag-cbor",
    LIBP2P_KEY: "libp2p-key",
    DAG_JSON: "dag-json",
    CBOR: "cbor",
    JSON: "json",
    0x78: "git-raw",
    0x0202: "car",
}
CODEC_CODES: Final[dict[str, int]] = {name: code for code, name in CODEC_NAMES.items()}

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_INDEX: Final = {char: index for index, char in enumerate(_BASE58)}
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE36_INDEX: Final = {char: index for index, char in enumerate(_BASE36)}
_MAX_TEXT: Final = 1024  # the longest CID worth reading: 128 bytes of identity in base2 are not one


def codec_name(code: int) -> str:
    """The multicodec name of a codec, or its number where it has none here."""
    return CODEC_NAMES.get(code, hex(code))


def _encode_radix(data: bytes, alphabet: str) -> str:
    number, radix, out = int.from_bytes(data, "big"), len(alphabet), []
    while number:
        number, rest = divmod(number, radix)
        out.append(alphabet[rest])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return alphabet[0] * zeros + "".join(reversed(out))


def _decode_radix(text: str, index: dict[str, int], alphabet: str) -> bytes:
    number, radix = 0, len(alphabet)
    for char in text:
        number = number * radix + index[char]
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _b32_decode(text: str) -> bytes:
    upper = text.upper()
    data = base64.b32decode(upper + "=" * (-len(text) % 8))
    unused = len(text) * 5 - len(data) * 8
    if unused and _BASE32.index(upper[-1]) & ((1 << unused) - 1):  # or two texts name one CID
        raise ValueError("stray bits at the end")
    return data


def _b32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _b64url_decode(text: str) -> bytes:
    if "+" in text or "/" in text:
        raise ValueError("characters of the other base64")
    return _b64_decode(text.replace("-", "+").replace("_", "/"))


def _b64_decode(text: str) -> bytes:
    data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), validate=True)
    if base64.b64encode(data).decode("ascii").rstrip("=") != text:  # padding, or stray bits as above
        raise ValueError("not canonical")
    return data


# multibase prefix: (name, encode, decode)
_BASES: Final[dict[str, tuple[str, Callable[[bytes], str], Callable[[str], bytes]]]] = {
    "b": ("base32", _b32, _b32_decode),
    "B": ("base32upper", lambda data: _b32(data).upper(), _b32_decode),
    "z": (
        "base58btc",
        lambda data: _encode_radix(data, _BASE58),
        lambda text: _decode_radix(text, _BASE58_INDEX, _BASE58),
    ),
    "k": (
        "base36",
        lambda data: _encode_radix(data, _BASE36),
        lambda text: _decode_radix(text.lower(), _BASE36_INDEX, _BASE36),
    ),
    "K": (
        "base36upper",
        lambda data: _encode_radix(data, _BASE36).upper(),
        lambda text: _decode_radix(text.lower(), _BASE36_INDEX, _BASE36),
    ),
    "f": ("base16", lambda data: data.hex(), binascii.unhexlify),
    "F": ("base16upper", lambda data: data.hex().upper(), binascii.unhexlify),
    "m": ("base64", lambda data: base64.b64encode(data).decode("ascii").rstrip("="), _b64_decode),
    "u": (
        "base64url",
        lambda data: base64.urlsafe_b64encode(data).decode("ascii").rstrip("="),
        _b64url_decode,
    ),
}
BASE_PREFIXES: Final[dict[str, str]] = {row[0]: prefix for prefix, row in _BASES.items()}


@total_ordering
class CID:
    """One content identifier: version, codec and multihash, compared and hashed by its bytes."""

    __slots__ = ("_text", "bytes", "codec", "multihash", "version")

    def __init__(self, version: int, codec: int, multihash: bytes) -> None:
        if version == 0:
            if codec != DAG_PB or len(multihash) != 34 or not multihash.startswith(mh.SHA2_256_PREFIX):
                raise InvalidCID("a CIDv0 can only name dag-pb by sha2-256")
            self.bytes = multihash
        elif version == 1:
            self.bytes = b"\x01" + varint.encode(codec) + multihash
        else:
            raise InvalidCID(f"there is no CID version {version}")
        self.version = version
        self.codec = codec
        self.multihash = multihash
        self._text: str | None = None

    @classmethod
    def parse(cls, text: str) -> CID:
        """The CID that ``text`` spells, in any multibase.

        Raises:  InvalidCID (and its kinds InsecureHash, IdentityTooLarge), UnknownHash.
        """
        cid = cls.read(text)
        try:
            mh.check_secure(cid.multihash)
        except InvalidCID as exc:
            raise type(exc)(f"{_shorten(text)!r} is no CID: {exc}") from None
        except PinfoldError as exc:
            raise InvalidCID(f"{_shorten(text)!r} is no CID: {exc}") from None
        return cid

    @classmethod
    def read(cls, text: str) -> CID:
        """The CID that ``text`` spells, its hash not judged: for links inside data, which may name anything.

        Raises:  InvalidCID.
        """
        try:
            return cls._read(text)
        except PinfoldError as exc:
            raise InvalidCID(f"{_shorten(text)!r} is no CID: {exc}") from None

    @classmethod
    def _read(cls, text: str) -> CID:
        if not text:
            raise InvalidCID("it is empty")
        if len(text) > _MAX_TEXT:
            raise InvalidCID(f"it has {len(text)} characters")
        try:
            if len(text) == 46 and text.startswith("Qm"):
                cid = cls.from_bytes(_decode_radix(text, _BASE58_INDEX, _BASE58))
            elif text[0] not in _BASES:
                raise InvalidCID(f"nothing known begins with {text[0]!r}")
            else:
                data = _BASES[text[0]][2](text[1:])
                if data[:1] == b"\x12":
                    raise InvalidCID("a CIDv0 is written without a multibase prefix")
                cid = cls.from_bytes(data)
                if text[0] == "b" and text.islower():
                    cid._text = text  # making it anew takes as long as reading it did
        except (ValueError, KeyError, binascii.Error):
            raise InvalidCID("it has characters that do not belong there") from None
        return cid

    @classmethod
    def from_bytes(cls, data: bytes) -> CID:
        """The CID whose byte form is exactly ``data``; the hash is not judged.  Raises: InvalidCID, InvalidVarint."""
        if len(data) == 36 and data[0] == 1 and data[1] < 0x80 and data[2:4] == mh.SHA2_256_PREFIX:
            cid = cls.__new__(cls)  # what nearly every CID is, without the steps of the constructor
            cid.bytes, cid.version, cid.codec, cid.multihash, cid._text = data, 1, data[1], data[2:], None
            return cid
        if len(data) == 34 and data[:2] == mh.SHA2_256_PREFIX:
            return cls(0, DAG_PB, data)
        version, position = varint.decode(data)
        if version != 1:
            raise InvalidCID(f"there is no CID version {version}")
        codec, position = varint.decode(data, position)
        mh.split(data[position:])
        return cls(1, codec, data[position:])

    @classmethod
    def of(cls, data: mh.Buffer, *, codec: int = RAW, hash_code: int = mh.SHA2_256, version: int = 1) -> CID:
        """The CID of ``data``.  Raises: UnknownHash, InsecureHash, IdentityTooLarge."""
        return cls(version, codec, mh.hasher(hash_code)(data))

    @property
    def is_identity(self) -> bool:
        """Whether the content is in the CID itself."""
        return self.multihash[0] == mh.IDENTITY

    @property
    def identity_data(self) -> bytes:
        """The bytes that an identity CID carries."""
        return mh.split(self.multihash)[1]

    @property
    def hash_code(self) -> int:
        """The multicodec code of the hash function."""
        return mh.split(self.multihash)[0]

    def to_v1(self) -> CID:
        """The same identifier as CIDv1."""
        return self if self.version == 1 else CID(1, self.codec, self.multihash)

    def to_v0(self) -> CID:
        """The same identifier as CIDv0.  Raises: InvalidCID where version 0 cannot say it."""
        return CID(0, self.codec, self.multihash)

    def encode(self, base: str = "base32") -> str:
        """The text in one multibase; a CIDv0 has only its own.  Raises: InvalidCID for an unknown base."""
        if self.version == 0:
            return _encode_radix(self.bytes, _BASE58)
        return encode_multibase(self.bytes, base)

    def __str__(self) -> str:
        if self._text is None:
            self._text = self.encode()
        return self._text

    def __repr__(self) -> str:
        return f"CID({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CID) and self.bytes == other.bytes

    def __lt__(self, other: CID) -> bool:
        return self.bytes < other.bytes

    def __hash__(self) -> int:
        return hash(self.bytes)


def encode_multibase(data: bytes, base: str) -> str:
    """``data`` as text with its multibase prefix.  Raises: InvalidCID for an unknown base."""
    if base not in BASE_PREFIXES:
        raise InvalidCID(f"unknown multibase {base!r}; known: {', '.join(BASE_PREFIXES)}")
    prefix = BASE_PREFIXES[base]
    return prefix + _BASES[prefix][1](data)


def base_of(text: str) -> str:
    """The multibase that a CID was spelled in."""
    return "base58btc" if text.startswith("Qm") else _BASES[text[0]][0]


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else text[:60] + "…"
