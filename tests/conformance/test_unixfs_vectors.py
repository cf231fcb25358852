"""Published CIDs: what Kubo, boxo, Helia and the IPFS specs say that an input becomes.

One row is one published fact: how the input is made, which parameters, the CID, and where it was published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pinfold.core import multihash
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import IdentityTooLarge
from pinfold.unixfs.build import Built
from pinfold.unixfs.directory import build_symlink
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Profile, profile
from tests.support.dags import Blocks, Link, Tree, add_bytes, add_tree, chacha20, random_names, read_bytes, text

V0 = "unixfs-v0-2015"
V1 = "unixfs-v1-2025"
KIB = 1024
MIB = 1024 * KIB

PROFILES_TEST = "kubo test/cli/cid_profiles_test.go"
ADD_TEST = "kubo test/cli/add_test.go"
SHARNESS_ADD = "kubo test/sharness/t0040-add-and-cat.sh"
SHARNESS_LINK = "kubo test/sharness/t0044-add-symlink.sh"
SHARNESS_LS = "kubo test/sharness/t0045-ls.sh"
SHARNESS_STAT = "kubo test/sharness/t0047-add-mode-mtime.sh"
SHARNESS_OBJECT = "kubo test/sharness/t0051-object.sh"
SHARNESS_SHARD = "kubo test/sharness/t0260-sharding.sh"
COREIFACE = "kubo core/coreiface/tests/unixfs.go"
IPIP_499 = "specs src/ipips/ipip-0499.md; recipe in kubo test/cli/dag_layout_test.go"
SPEC = "specs src/unixfs.md"
JS_ADD = "js-ipfs packages/interface-ipfs-core/src/add.js"
JS_CAT = "js-ipfs packages/interface-ipfs-core/src/cat.js"
JS_UTILS = "js-ipfs packages/interface-ipfs-core/src/utils/index.js"
HELIA = "helia packages/unixfs/test/add.spec.ts"

PLANETS: Tree = {"mars.txt": b"Hello Mars!\n", "venus.txt": b"Hello Venus!\n"}
MOONS: Tree = {
    "jupiter": {"europa.txt": b"Hello Europa!\n"},
    "saturn": {"titan.txt": b"Hello Titan!\n"},
    "mercury.txt": b"hey you are no moon!\n",
}
LINKS: Tree = {
    "foo": {"baz": b"some text\n"},
    "bar": {"baz": Link(b"files/foo/baz")},
    "bad": Link(b"files/does/not/exist"),
}
HELLO_FLAT: Tree = {"bar": b"hello2", "foo": b"hello1"}
IDEAL_CHUNKS = b"aoeuidhtns" * 200


def numbered() -> Tree:
    return {f"file{number}": f"{number}\n".encode() for number in range(1, 2001)}


def some_content() -> Tree:
    return {str(number): f"some content {number}".encode() for number in range(1005)}


def named_x(seed: str, count: int, length: int, last_length: int | None = None) -> Tree:
    return dict.fromkeys(random_names(seed, count, length, last_length), b"x")


class Row(NamedTuple):
    """One published CID."""

    what: str
    content: Callable[[], bytes | Link | Tree] | bytes | Link | Tree
    base: str
    choices: dict[str, Any]
    cid: str
    source: str
    metadata: Metadata | None = None


def row(
    what: str,
    content: Any,
    base: str,
    cid: str,
    source: str,
    *,
    metadata: Metadata | None = None,
    **choices: Any,
) -> Row:
    return Row(what, content, base, choices, cid, source, metadata)


WORLDS = "QmVr26fY1tKyspEJBniVhqxQeEjhF78XerGiqWAwraVLQH"

ROWS = [
    # IPIP-499 profiles
    row("hello world", b"hello world", V0, "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", PROFILES_TEST),
    row(
        "one chunk",
        lambda: chacha20("chunk-v0-seed", 256 * KIB),
        V0,
        "QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE",
        PROFILES_TEST,
    ),
    row(
        "one chunk and a byte",
        lambda: chacha20("chunk-v0-seed", 256 * KIB + 1),
        V0,
        "QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ",
        PROFILES_TEST,
    ),
    row(
        "a full node",
        lambda: chacha20("v0-seed", 174 * 256 * KIB),
        V0,
        "QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2",
        PROFILES_TEST,
    ),
    row(
        "a full node and a byte",
        lambda: chacha20("v0-seed", 174 * 256 * KIB + 1),
        V0,
        "QmV81WL765sC8DXsRhE5fJv2rwhS4icHRaf3J9Zk5FdRnW",
        PROFILES_TEST,
    ),
    row(
        "a folder at the threshold",
        lambda: named_x("hamt-unixfs-v0-2015", 4096, 30),
        V0,
        "QmX5GtRk3TSSEHtdrykgqm4eqMEn3n2XhfkFAis5fjyZmN",
        PROFILES_TEST,
    ),
    row(
        "a folder over the threshold",
        lambda: named_x("hamt-unixfs-v0-2015", 4033, 31),
        V0,
        "QmeMiJzmhpJAUgynAcxTQYek5PPKgdv3qEvFsdV3XpVnvP",
        PROFILES_TEST,
    ),
    row(
        "hello world",
        b"hello world",
        V1,
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        PROFILES_TEST,
    ),
    row(
        "one chunk",
        lambda: chacha20("chunk-v1-seed", MIB),
        V1,
        "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta",
        PROFILES_TEST,
    ),
    row(
        "one chunk and a byte",
        lambda: chacha20("chunk-v1-seed", MIB + 1),
        V1,
        "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64",
        PROFILES_TEST,
    ),
    row(
        "a folder at the threshold",
        lambda: named_x("hamt-unixfs-v1-2025", 4766, 11, 21),
        V1,
        "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4",
        PROFILES_TEST,
    ),
    row(
        "a folder over the threshold",
        lambda: named_x("hamt-unixfs-v1-2025", 4766, 11, 22),
        V1,
        "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu",
        PROFILES_TEST,
    ),
    row(
        "45 MiB",
        lambda: chacha20("trickle-test", 45 * MIB),
        V0,
        "QmbqR6g7YCpndLcCZZXkGyj13uMcSrwDYUvZ47vJqBVjUH",
        IPIP_499,
        layout="trickle",
    ),
    # Kubo's command line
    row(
        "hello world",
        b"hello world",
        V0,
        "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa",
        ADD_TEST,
        cid_version=1,
        raw_leaves=False,
    ),
    row(
        "hello world",
        b"hello world",
        V0,
        "bafkrgqbqt3gerhas23vuzrapkdeqf4vu2dwxp3srdj6hvg6nhsug2tgyn6mj3u23yx7utftq3i2ckw2fwdh5qmhid5qf3t35yvkc5e5ottlw6",
        ADD_TEST,
        hash_code=multihash.code_of("sha2-512"),
    ),
    row("Hello Worlds", b"Hello Worlds!\n", V0, WORLDS, SHARNESS_ADD),
    row("Hello Worlds", b"Hello Worlds!\n", V0, WORLDS, SHARNESS_ADD, chunker="rabin"),
    row("Hello Worlds", b"Hello Worlds!\n", V0, WORLDS, SHARNESS_ADD, chunker="size-64"),
    row("Hello Worlds", b"Hello Worlds!\n", V0, WORLDS, SHARNESS_ADD, chunker="rabin-36-512-1024"),
    row("Hello Worlds", b"Hello Worlds!\n", V0, WORLDS, SHARNESS_ADD, chunker="buzhash"),
    row(
        "Hello Worlds",
        b"Hello Worlds!\n",
        V0,
        "QmUkUQgxXeggyaD5Ckv8ZqfW8wHBX6cYyeiyqvVZYzq5Bi",
        SHARNESS_ADD,
        layout="trickle",
    ),
    row("empty", b"", V0, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", SHARNESS_ADD),
    row(
        "empty",
        b"",
        V0,
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        SHARNESS_ADD,
        raw_leaves=True,
    ),
    row(
        "empty",
        b"",
        V0,
        "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y",
        SPEC,
        cid_version=1,
        raw_leaves=False,
    ),
    row("empty folder", {}, V0, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", SHARNESS_OBJECT),
    row(
        "empty folder",
        {},
        V0,
        "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
        SHARNESS_OBJECT,
        cid_version=1,
    ),
    row("empty folder", {}, V0, "bafyaabakaieac", SPEC, inline=True),
    row("IPFS", b"IPFS\n", V0, "QmdFyxZXsFiP4csgfM5uPu99AvFiKH62CSPDw5TP92nr7w", SHARNESS_ADD),
    row(
        "base32 test",
        b"base32 test\n",
        V0,
        "bafybeibyosqxljd2eptb4ebbtvk7pb4aoxzqa6ttdsflty6rsslz5y6i34",
        SHARNESS_ADD,
        cid_version=1,
        raw_leaves=False,
    ),
    row("Helloo Worlds", b"Helloo Worlds!\n", V0, "Qmf35k66MZNW2GijohUmXQEWKZU4cCGTCwK6idfnt152wJ", SHARNESS_ADD),
    row("Hello MFS", b"Hello MFS!\n", V0, "QmVT8bL3sGBA2TwvX8JPhrv5CYZL8LLLfW7mxkUjPZsgBr", SHARNESS_ADD),
    row("Hello Jupiter", b"Hello Jupiter!\n", V0, "QmUnvPcBctVTAcJpigv6KMqDvmDewksPWrNVoy1E1WP5fh", SHARNESS_ADD),
    row(
        "Hello Neptune",
        b"Hello Neptune!\nHello Pluton!",
        V0,
        "QmZDhWpi8NvKrekaYYhxKCdNVGWsFFe1CREnAjP1QbPaB3",
        SHARNESS_ADD,
    ),
    row(
        "hey and hello",
        {"hey": b"Hey\n", "hello": {"world": b"World\n"}},
        V0,
        "QmZQWnfcqJ6hNkkPvrY9Q5X39GP3jUnUbAV4AbmbbR3Cb1",
        SHARNESS_ADD,
    ),
    row("planets", PLANETS, V0, "QmWSgS32xQEcXMeqd3YPJLrNBLSdsfYCep2U7CFkyrjXwY", SHARNESS_ADD),
    row("planets", PLANETS, V0, "QmfWfQfKCY5Ukv9peBbxM5vqWM9BzmqUSXvdCgjT2wsiBT", SHARNESS_ADD, raw_leaves=True),
    row(
        "planets",
        PLANETS,
        V0,
        "bafybeih7e5dmkyk25up5vxug4q3hrg2fxbzf23dfrac2fns5h7z4aa7ioi",
        SHARNESS_ADD,
        cid_version=1,
    ),
    row(
        "planets",
        PLANETS,
        V0,
        "bafybeif5tuep5ap2d7zyhbktucey75aoacxufgt6i3v4gebmixyipnyp7y",
        SHARNESS_ADD,
        cid_version=1,
        raw_leaves=False,
    ),
    row(
        "planets",
        PLANETS,
        V0,
        "bafykbzaceaptbcs7ik5mdfpot3b4ackvxlwh7loc5jcrtkayf64ukl7zyk46e",
        SHARNESS_ADD,
        hash_code=multihash.code_of("blake2b-256"),
    ),
    row("moons", MOONS, V0, "QmbGoaQZm8kjYfCiN1aBsgwhqfUBGDYTrDb91Mz7Dvq81B", SHARNESS_ADD),
    row(
        "two mfs files",
        {"mfs1.txt": b"file1\n", "mfs2.txt": b"file2\n"},
        V0,
        "bafybeic7xwqwovt4g4bax6d3udp6222i63vj2rblpbim7uy2uw4a5gahha",
        SHARNESS_ADD,
        cid_version=1,
    ),
    row("2000 files", numbered, V0, "QmavrTrQG4VhoJmantURAYuw3bowq3E2WcvP36NRQDAC1N", SHARNESS_SHARD),
    row(
        "2000 files",
        numbered,
        V0,
        "QmSCJD1KYLhVVHqBK3YyXuoEqHt7vggyJhzoFYbT8v1XYL",
        SHARNESS_SHARD,
        hamt_threshold=1,
    ),
    row(
        "2000 files",
        numbered,
        V0,
        "bafybeibiemewfzzdyhq2l74wrd6qj2oz42usjlktgnlqv4yfawgouaqn4u",
        SHARNESS_SHARD,
        hamt_threshold=1,
        cid_version=1,
    ),
    row("link", Link(b"files/foo/baz"), V0, "QmdocmZeF7qwPT9Z8SiVhMSyKA2KKoA2J7jToW6z6WBmxR", SHARNESS_LINK),
    row(
        "dead link", Link(b"files/does/not/exist"), V0, "QmWYN8SEXCgNT2PSjB6BnxAx6NJQtazWoBkTRH9GRfPFFQ", SHARNESS_LINK
    ),
    row("folder of links", LINKS, V0, "QmWdiHKoeSW8G1u7ATCgpx4yMoUhYaJBQGkyPLkS9goYZ8", SHARNESS_LINK),
    row(
        "folder of links",
        LINKS,
        V0,
        "bafybeibyhlx64cklod6isy3h7tsmr4qvam3ae3b74n3hfes5bythjrwyua",
        SHARNESS_LINK,
        cid_version=1,
    ),
    row(
        "empty, 0640",
        b"",
        V0,
        "QmQLgxypSNGNFTuUPGCecq6dDEjb6hNB5xSyVmP3cEuNtq",
        SHARNESS_STAT,
        metadata=Metadata(mode=0o640),
    ),
    row(
        "empty, mtime",
        b"",
        V0,
        "QmQ6kErEW8kztQFV8vbwNU8E4dmtGsYpRiboiLxUEwibvj",
        SHARNESS_STAT,
        metadata=Metadata(mtime=(1604320482, 0)),
    ),
    row(
        "empty, 0640 and mtime",
        b"",
        V0,
        "QmYkvboLsvLFcSYmqVJRxvBdYRQLroLv9kELf3LRiCqBri",
        SHARNESS_STAT,
        metadata=Metadata(0o640, (1604320482, 0)),
    ),
    row(
        "empty, 0764",
        b"",
        V0,
        "QmchD3BN8TQ3RW6jPLxSaNkqvfuj7syKhzTRmL4EpyY1Nz",
        SHARNESS_STAT,
        metadata=Metadata(mode=0o764),
    ),
    row(
        "empty, mtime with nanoseconds",
        b"",
        V0,
        "QmaKH8H5rXBUBCX4vdxi7ktGQEL7wejV7L9rX2qpZjwncz",
        SHARNESS_STAT,
        metadata=Metadata(mtime=(1603539720, 54321)),
    ),
    row(
        "empty, 0764 and mtime with nanoseconds",
        b"",
        V0,
        "QmUkxrtBA8tPjwCYz1HrsoRfDz6NgKut3asVeHVQNH4C8L",
        SHARNESS_STAT,
        metadata=Metadata(0o764, (1603539720, 54321)),
    ),
    row("foo", {"foo": b"bar\n"}, V0, "QmThNTdtKaVoCVrYmM5EBS6U3S5vfKFue2TxbxxAxRcKKE", SHARNESS_LS, raw_leaves=True),
    # Kubo's API tests, js, Helia
    row("hello, world!", b"hello, world!", V0, "QmQy2Dw4Wk7rdJKjThjYXzfFJNaRKRHhHP5gHHXroJMYxk", COREIFACE),
    row(
        "hello, world!",
        b"hello, world!",
        V0,
        "bafkreidi4zlleupgp2bvrpxyja5lbvi4mym7hz5bvhyoowby2qp7g2hxfa",
        COREIFACE,
        cid_version=1,
    ),
    row(
        "hello, world!",
        b"hello, world!",
        V0,
        "bafybeibhbcn7k7o2m6xsqkrlfiokod3nxwe47viteynhruh6uqx7hvkjfu",
        COREIFACE,
        cid_version=1,
        raw_leaves=False,
    ),
    row(
        "hello, world!",
        b"hello, world!",
        V0,
        "bafkrmichjflejeh6aren53o7pig7zk3m3vxqcoc2i5dv326k3x6obh7jry",
        COREIFACE,
        hash_code=multihash.code_of("sha3-256"),
    ),
    row("hello, world!", b"hello, world!", V0, "bafyaafikcmeaeeqnnbswy3dpfqqho33snrsccgan", COREIFACE, inline=True),
    row(
        "hello, world!",
        b"hello, world!",
        V0,
        "bafkqadlimvwgy3zmeb3w64tmmqqq",
        COREIFACE,
        inline=True,
        raw_leaves=True,
    ),
    row("empty", b"", V0, "bafkqaaa", COREIFACE, inline=True, raw_leaves=True),
    row(
        "500 chunks of 4",
        IDEAL_CHUNKS,
        V0,
        "QmRo11d4QJrST47aaiGVJYwPhoNA4ihRpJ5WaxBWjWDwbX",
        COREIFACE,
        chunker="size-4",
    ),
    row(
        "500 chunks of 4",
        IDEAL_CHUNKS,
        V0,
        "QmNNhDGttafX3M1wKWixGre6PrLFGjnoPEDXjBYpTv93HP",
        COREIFACE,
        chunker="size-4",
        layout="trickle",
    ),
    row("flat folder", HELLO_FLAT, V0, "QmRKGpFfR32FVXdvJiHfo4WJ5TDYBsM1P9raAp1p6APWSp", COREIFACE),
    row("wrapped folder", {"t": HELLO_FLAT}, V0, "Qmc3nGXm1HtUVCmnXLQHvWcNwfdZGpfg2SRm1CxLf7Q2Rm", COREIFACE),
    row(
        "two levels",
        {"abc": {"def": b"world"}, **HELLO_FLAT},
        V0,
        "QmVG2ZYCkV1S4TK8URA3a4RupBF17A8yAr4FqsRDXVJASr",
        COREIFACE,
    ),
    row(
        "hidden file",
        {"t": {".bar": b"hello2", **HELLO_FLAT}},
        V0,
        "QmPXLSBX382vJDLrGakcbrZDkU3grfkjMox7EgSC9KFbtQ",
        COREIFACE,
    ),
    row("zeros", lambda: bytes(1_000_000), V0, "QmXXNNbwe4zzpdMg62ZXvnX1oU7MwSrQ3vAEtuwFKCm1oD", COREIFACE),
    row("15 MiB of zeros", lambda: bytes(15 * MIB), V0, "QmcKEs7mbxbGPPc2zo77E6CPwgaSbY4SmD2MFh16AqaR9e", JS_UTILS),
    row("Plz add me", b"Plz add me!\n", V0, "Qma4hjFTnCasJ8PVp3mZbZK5g2vGDT4LByLJ7m8ciyRFZP", JS_CAT),
    row("three bytes", bytes(range(3)), V1, "bafkreifojmzibzlof6xyh5auu3r5vpu5l67brf3fitaf73isdlglqw2t7q", JS_ADD),
    row("1005 files", some_content, V0, "QmWWM8ZV6GPhqJ46WtKcUaBPNHN5yQaFsKDSQ1RE73w94Q", JS_ADD),
    row(
        "1005 files",
        some_content,
        V0,
        "Qmb3JNLq2KcvDTSGT23qNQkMrr4Y4fYMktHh6DtC7YatLa",
        JS_ADD,
        hamt_threshold=1,
    ),
    row("five bytes", bytes(range(5)), V1, "bafkreiaixnpf23vkyecj5xqispjq5ubcwgsntnnurw2bjby7khe4wnjihu", HELIA),
    row("5 to 1", bytes([5, 4, 3, 2, 1]), V1, "bafkreidmuy2n45xj3cdknzprtzo2uvgm3hak6mzy5sllxty457agsftd34", HELIA),
]


def build(content: Any, chosen: Profile, blocks: Blocks, metadata: Metadata | None = None) -> Built:
    if isinstance(content, Link):
        return build_symlink(bytes(content), chosen, blocks.emit, metadata)
    if isinstance(content, bytes):
        return add_bytes(content, chosen, blocks, metadata)
    return add_tree(content, chosen, blocks)


def name_of(each: Row) -> str:
    choices = ",".join(f"{key}={value}" for key, value in each.choices.items())
    return f"{each.what}-{each.base[7:9]}-{choices}".replace(" ", "_").rstrip("-")


@pytest.mark.parametrize("published", ROWS, ids=name_of)
def test_content_gets_the_cid_that_was_published_for_it(published: Row) -> None:
    content = published.content() if callable(published.content) else published.content
    blocks = Blocks()
    built = build(content, profile(published.base, **published.choices), blocks, published.metadata)
    assert text(built) == published.cid, published.source
    if isinstance(content, bytes) and not isinstance(content, Link):
        assert read_bytes(built.cid, blocks) == content


@pytest.mark.parametrize(
    ("content", "size", "source"),
    [
        ({"abc": {"def": b"world"}, **HELLO_FLAT}, 229, COREIFACE),
        (bytes(1_000_000), 1_000_256, COREIFACE),
    ],
    ids=["two levels", "zeros"],
)
def test_size_counts_all_blocks_as_kubo_counts_them(content: Any, size: int, source: str) -> None:
    assert build(content, profile(V0), Blocks()).tsize == size, source


# Source: specs src/unixfs.md, "Identity CID Size Limit" (IPIP-512)
BS_128 = (
    "bafkqbaabijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijb"
    "eeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqs"
    "cijbeeqscijbee"
)
AS_129 = (
    "bafkqbaibifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifa"
    "ucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqkbifaucqk"
    "bifaucqkbifaucqi"
)


def test_an_identity_cid_carries_128_bytes_and_no_more() -> None:
    assert CID.parse(BS_128).identity_data == b"B" * 128
    assert read_bytes(CID.parse(BS_128).bytes, Blocks()) == b"B" * 128
    with pytest.raises(IdentityTooLarge):
        CID.parse(AS_129)
    with pytest.raises(IdentityTooLarge):
        read_bytes(CID(1, RAW, multihash.wrap(multihash.IDENTITY, b"A" * 129)).bytes, Blocks())


# Source: kubo test/cli/cid_test.go
@pytest.mark.parametrize(
    ("v0", "v1"),
    [
        (
            "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
            "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        ),
        (
            "QmZZRTyhDpL5Jgift1cHbAhexeE1m2Hw8x8g7rTcPahDvo",
            "bafybeifgwyq5gs4l2mru5klgwjfmftjvkmbyyjurbupuz2bst7mhmg2hwa",
        ),
    ],
)
def test_a_cid_of_version_0_and_its_twin_of_version_1_name_the_same(v0: str, v1: str) -> None:
    assert str(CID.parse(v0).to_v1()) == v1
    assert str(CID.parse(v1).to_v0()) == v0
