"""The IPLD data model in Python's own types, and the limits every codec holds."""

from __future__ import annotations

from typing import Final, TypeAlias, Union

from pinfold.core.cid import CID

Value: TypeAlias = Union[bool, int, float, str, bytes, CID, list["Value"], dict[str, "Value"], None]  # noqa: UP007 (it names itself)

MAX_DEPTH: Final = 512  # lists and maps inside each other; deeper than anything honest, and below any stack's end
MIN_INT: Final = -(2**64)  # what DAG-CBOR can carry
MAX_INT: Final = 2**64 - 1
