"""``cid format`` and ``cid inspect``: the forms that Kubo prints."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Run

V0 = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"
V1 = "bafybeiffndsajwhk3lwjewwdxqntmjm4b5wxaaanokonsggenkbw6slwk4"
RAW = "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am"


@pytest.mark.parametrize(
    ("args", "out"),
    [
        ((V0,), V0),
        (("-v", "1", V0), "zdj7WgZb7dJCFFLxEgawRRQ5M6Eni9d8ix75bfo2JC14nHRQJ"),
        (("-v", "0", V1), V0),
        (("-b", "base32", V0), V1),
        (("-b", "base58btc", V1), "zdj7WgZb7dJCFFLxEgawRRQ5M6Eni9d8ix75bfo2JC14nHRQJ"),
        (("--codec", "raw", V1), V1.replace("bafybei", "bafkrei")),
        (("--codec", "raw", V0), "zb2rhhmyEFSad2m2iEDBnE4tse8vmfg8fri844LfAgv1cghS6"),
        (("-f", "%b %B %v %V %c %C %P %%", RAW), "base32 b cidv1 1 raw 85 cidv1-raw-sha2-256-32 %"),
        (("-f", "%h %H %L", RAW), "sha2-256 18 32"),
        (("-f", "%D", "-b", "base16", RAW), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
        (("-f", "%d", "-b", "base16", RAW), "f5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
        (("-f", "%M", "-b", "base16", RAW), "12205891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
        (("-f", "%S", RAW), RAW[1:]),
    ],
)  # fmt: skip
def test_cids_are_written_in_other_forms(run: Run, args: tuple[str, ...], out: str) -> None:
    result = run("cid", "format", *args)
    assert (result.code, result.out) == (0, out + "\n")


def test_cids_come_by_standard_input_too(run: Run) -> None:
    assert run("cid", "format", "-b", "base32", stdin=f"{V0}\n\n{V0}\n".encode()).out == f"{V1}\n{V1}\n"


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("-f", "plain", RAW), 2),
        (("-f", "%x", RAW), 2),
        (("-f", "%", RAW), 2),
        (("-b", "base3", RAW), 2),
        (("-v", "0", "-b", "base32", V0), 2),
        (("-v", "2", V0), 2),
        (("-v", "0", RAW), 11),
        (("--codec", "nope", V0), 16),
        (("bafynonsense!",), 11),
    ],
)
def test_what_cannot_be_written_is_refused(run: Run, args: tuple[str, ...], code: int) -> None:
    result = run("cid", "format", *args)
    assert (result.code, result.out) == (code, "")
    assert "Error: " in result.err


def test_inspect_explains_a_cid(run: Run) -> None:
    out = run("cid", "inspect", RAW).out
    assert out.splitlines() == [
        f"CID:        {RAW}",
        "Version:    1",
        "Multibase:  base32 (b)",
        "Multicodec: raw (0x55)",
        "Multihash:  sha2-256 (0x12)",
        "  Length:   32 bytes",
        "  Digest:   5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        "CIDv0:      not possible: it needs dag-pb, and this is raw",
        f"CIDv1:      {RAW}",
    ]


def test_inspect_prints_json(run: Run) -> None:
    fields = json.loads(run("cid", "inspect", "--json", V0).out)
    assert fields["multibase"] == {"prefix": "", "name": "base58btc"}
    assert (fields["cid_v0"], fields["cid_v1"]) == (V0, V1)
    assert json.loads(run("cid", "inspect", "--json", RAW).out)["cid_v0"] is None
