"""A real Kubo as the judge: the same content with the same choices must get the same CID."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinfold.core import multihash
from pinfold.core.cid import CID
from pinfold.unixfs.dag import Built
from pinfold.unixfs.directory import Entry, build_directory, build_symlink
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Profile, for_metadata, profile
from tests.support.dags import Blocks, add_bytes, noise, text
from tests.support.kubo import IPFS, WHERE_FROM, Kubo

pytestmark = pytest.mark.kubo

V0 = "unixfs-v0-2015"
V1 = "unixfs-v1-2025"
KIB = 1024
MIB = 1024 * KIB


@pytest.fixture(scope="module")
def kubos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Kubo]]:
    """One Kubo for each profile; and more of them by what a test asks of its configuration."""
    if not IPFS.exists():
        pytest.skip(WHERE_FROM)
    modern = Kubo(tmp_path_factory.mktemp("kubo-2025"))
    modern.run("config", "profile", "apply", V1)
    yield {V0: Kubo(tmp_path_factory.mktemp("kubo-2015")), V1: modern}


@contextmanager
def threshold_of(kubo: Kubo, size_bytes: int) -> Iterator[None]:
    """A Kubo that shards folders above another size."""
    kubo.configure({"Import.UnixFSHAMTDirectorySizeThreshold": f"{size_bytes}B"})
    try:
        yield
    finally:
        kubo.configure({"Import.UnixFSHAMTDirectorySizeThreshold": "262144B"})


def add_path(path: Path, chosen: Profile, blocks: Blocks, *, keep: bool = False) -> Built:
    """What is at a path, built as the profile says; ``keep`` puts mode and mtime in, as ``--preserve-*`` does."""
    status = path.lstat()
    kept = Metadata(stat.S_IMODE(status.st_mode), divmod(status.st_mtime_ns, 10**9)) if keep else None
    if path.is_symlink():
        return build_symlink(os.fsencode(path.readlink()), chosen, blocks.emit, kept)
    if path.is_dir():
        built = [(os.fsencode(below.name), add_path(below, chosen, blocks, keep=keep)) for below in path.iterdir()]
        return build_directory((Entry(name, each.cid, each.tsize) for name, each in built), chosen, blocks.emit, kept)
    return add_bytes(path.read_bytes(), chosen, blocks, kept)


def kubo_names(kubo: Kubo, folder: Path, *flags: str) -> dict[str, str]:
    """The CID that ``ipfs add -r`` gives each path under a folder, the folder itself under its own name."""
    lines = kubo.run("add", "-r", "--progress=false", *flags, "--", folder).decode("utf-8", "surrogateescape")
    return {line.split(" ", 2)[2]: line.split(" ", 2)[1] for line in lines.splitlines()}


def same_names(folder: Path, chosen: Profile) -> dict[str, str]:
    """The same from our side, for a folder of files."""
    cids = {f"{folder.name}/{path.name}": text(add_path(path, chosen, Blocks())) for path in folder.iterdir()}
    return cids | {folder.name: text(add_path(folder, chosen, Blocks()))}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("base", [V0, V1])
def test_files_of_every_size_round_a_chunk(kubos: dict[str, Kubo], tmp_path: Path, base: str) -> None:
    chunk = 256 * KIB if base == V0 else MIB
    sizes = [0, 1, 2, 127, 128, 4096, chunk - 1, chunk, chunk + 1, 2 * chunk - 1, 2 * chunk, 2 * chunk + 1]
    folder = write_folder(tmp_path / "sizes", {str(size): noise(size, size) for size in sizes})
    assert same_names(folder, profile(base)) == kubo_names(kubos[base], folder)


@pytest.mark.parametrize("base", [V0, V1])
@pytest.mark.parametrize("trickle", [False, True])
def test_files_of_every_size_round_a_full_node(
    kubos: dict[str, Kubo], tmp_path: Path, base: str, trickle: bool
) -> None:
    width, chunk = 3, 100
    leaves = sorted({n + d for n in (1, 3, 6, 9, 12, 15, 27, 30, 75, 81, 243) for d in (-1, 0, 1)})
    sizes = [leaf * chunk + extra for leaf in leaves for extra in (0, 1)]
    folder = write_folder(tmp_path / "sizes", {str(size): noise(size, size) for size in sizes})
    flags = ["-s", f"size-{chunk}", "--max-file-links", str(width), *(["--trickle"] if trickle else [])]
    chosen = profile(base, chunker=f"size-{chunk}", max_file_links=width, layout="trickle" if trickle else "balanced")
    assert same_names(folder, chosen) == kubo_names(kubos[base], folder, *flags)


def test_the_full_node_of_each_profile(kubos: dict[str, Kubo]) -> None:
    for base, width in ((V0, 174), (V1, 1024)):
        for length in (width * 64, width * 64 + 1):
            content = noise(length, length)
            ours = text(add_bytes(content, profile(base, chunker="size-64"), Blocks()))
            assert ours == kubos[base].add_bytes(content, "-s", "size-64")


CONTENTS = {
    "noise": lambda: noise(1, 5_000_000),
    "zeros": lambda: bytes(3_000_000),
    "text": lambda: b"".join(f"line {number} of a long text\n".encode() for number in range(100_000)),
    "noise, zeros, noise": lambda: noise(2, 1_500_000) + bytes(1_500_000) + noise(3, 1_500_001),
    "short": lambda: noise(4, 131_072),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(
    ("chunker", "length"),
    [
        ("buzhash", 5_000_000),
        ("rabin", 5_000_000),
        ("rabin-48", 50_000),
        ("rabin-50000", 5_000_000),
        ("rabin-1000000", 5_000_000),
        ("rabin-16-17-18", 30_000),
        ("rabin-36-512-1024", 500_000),
        ("rabin-1000-4096-9000", 2_000_000),
        ("rabin-min:200-avg:300-max:5000", 500_000),
        ("rabin-87381-262144-2000000", 5_000_000),
        ("size-1000", 500_000),
        ("size-262143", 5_000_000),
    ],
)
def test_every_chunker_cuts_where_kubo_cuts(kubos: dict[str, Kubo], chunker: str, length: int, content: str) -> None:
    data = CONTENTS[content]()[:length]
    assert text(add_bytes(data, profile(V0, chunker=chunker), Blocks())) == kubos[V0].add_bytes(
        data, "--only-hash", "-s", chunker
    )


@pytest.mark.parametrize("chunker", ["buzhash", "rabin", "rabin-5000"])
@pytest.mark.parametrize("base", [V0, V1])
def test_content_chunkers_in_a_trickle_layout(kubos: dict[str, Kubo], base: str, chunker: str) -> None:
    data = noise(5, 2_000_000)
    assert text(add_bytes(data, profile(base, chunker=chunker, layout="trickle"), Blocks())) == kubos[base].add_bytes(
        data, "--only-hash", "-s", chunker, "--trickle"
    )


NAMES = [
    "plain.txt",
    ".hidden",
    " leading and trailing ",
    "percent%20sign",
    "question?mark#and&more",
    "quotes\"'`",
    "back\\slash",
    "tab\tin it",
    "-dash",
    "café",
    "cafe\u0301",
    "Straße",
    "Ελληνικά",
    "Русский",
    "עברית",
    "العربية",
    "हिन्दी",
    "ไทย",
    "한국어",
    "日本語",
    "中文",
    "🦊🐄",
    "👩\u200d👩\u200d👧",
    "\u202eright to left",
    "zero\u200bwidth",
    "x" * 255,
    "中" * 85,
    "0",
    "00",
    "A",
    "a",
    "Z",
    "z",
    "~",
]


@pytest.mark.parametrize("base", [V0, V1])
@pytest.mark.parametrize("threshold", [262144, 1])
def test_names_of_every_script(kubos: dict[str, Kubo], tmp_path: Path, base: str, threshold: int) -> None:
    folder = write_folder(tmp_path / "names", {name: name.encode() for name in NAMES})
    kubo = kubos[base]
    with threshold_of(kubo, threshold):
        theirs = kubo.add(folder, "--hidden")
    assert text(add_path(folder, profile(base, hamt_threshold=threshold), Blocks())) == theirs


def test_names_that_are_not_utf_8(kubos: dict[str, Kubo], tmp_path: Path) -> None:
    folder = tmp_path / "bytes"
    folder.mkdir()
    for name in (b"\xff", b"caf\xe9", b"\x80\x81", b"fine"):
        (folder / os.fsdecode(name)).write_bytes(name)
    assert text(add_path(folder, profile(), Blocks())) == kubos[V1].add(folder)


@pytest.mark.parametrize("base", [V0, V1])
def test_a_folder_of_20_000_entries(kubos: dict[str, Kubo], tmp_path: Path, base: str) -> None:
    files = {f"{number:x} entry of {number * number}": str(number % 50).encode() for number in range(20_000)}
    folder = write_folder(tmp_path / "many", files)
    blocks = Blocks()
    entries = []
    for name, content in files.items():
        built = add_bytes(content, profile(base), blocks)
        entries.append(Entry(name.encode(), built.cid, built.tsize))
    assert text(build_directory(entries, profile(base), blocks.emit)) == kubos[base].add(folder)


@pytest.mark.parametrize("fanout", [8, 16, 128, 512, 1024])
def test_every_fanout(kubos: dict[str, Kubo], tmp_path: Path, fanout: int) -> None:
    folder = write_folder(tmp_path / "some", {f"file {number}": b"x" for number in range(400)})
    kubo = kubos[V1]
    with threshold_of(kubo, 100):
        theirs = kubo.add(folder, "--max-hamt-fanout", str(fanout))
    assert text(add_path(folder, profile(hamt_threshold=100, hamt_fanout=fanout), Blocks())) == theirs


@pytest.mark.parametrize("base", [V0, V1])
def test_the_threshold_to_the_byte(kubos: dict[str, Kubo], tmp_path: Path, base: str) -> None:
    kubo = kubos[base]
    folder = write_folder(tmp_path / "some", {f"{number:03}": b"x" * number for number in range(50)})
    blocks = Blocks()
    flat = add_path(folder, profile(base, hamt_threshold=0), blocks)
    exact = 50 * (3 + 34) if base == V0 else len(blocks.stored[flat.cid])
    for threshold in (exact - 1, exact, exact + 1):
        with threshold_of(kubo, threshold):
            theirs = kubo.add(folder)
        assert text(add_path(folder, profile(base, hamt_threshold=threshold), Blocks())) == theirs


MIXED = {"empty": b"", "small": b"hello\n", "large": noise(6, 600_000)}


def write_tree(folder: Path) -> Path:
    """Files of several sizes, folders in folders, links, and a folder with nothing in it."""
    write_folder(folder, MIXED)
    write_folder(folder / "below", MIXED)
    (folder / "below" / "nothing").mkdir()
    (folder / "link").symlink_to("small")
    (folder / "below" / "broken").symlink_to("../nowhere")
    return folder


@pytest.mark.parametrize("base", [V0, V1])
@pytest.mark.parametrize(
    ("flags", "choices"),
    [
        ([], {}),
        (["--cid-version=1"], {"cid_version": 1}),
        (["--cid-version=0"], {"cid_version": 0}),
        (["--raw-leaves"], {"raw_leaves": True}),
        (["--raw-leaves=false"], {"raw_leaves": False}),
        (["--cid-version=1", "--raw-leaves=false"], {"cid_version": 1, "raw_leaves": False}),
        (["--trickle"], {"layout": "trickle"}),
        (["--trickle", "--raw-leaves"], {"layout": "trickle", "raw_leaves": True}),
        (["-s", "size-100000", "--max-file-links=2"], {"chunker": "size-100000", "max_file_links": 2}),
        (["--inline"], {"inline": True}),
        (["--inline", "--inline-limit=0"], {"inline": True, "inline_limit": 0}),
        (["--inline", "--inline-limit=128"], {"inline": True, "inline_limit": 128}),
        (
            ["--inline", "--inline-limit=128", "-s", "size-128"],
            {"inline": True, "inline_limit": 128, "chunker": "size-128"},
        ),
        (["--inline", "--cid-version=1"], {"inline": True, "cid_version": 1}),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_every_choice_for_a_whole_tree(
    kubos: dict[str, Kubo], tmp_path: Path, base: str, flags: list[str], choices: dict[str, Any]
) -> None:
    folder = write_tree(tmp_path / "tree")
    assert text(add_path(folder, profile(base, **choices), Blocks())) == kubos[base].add(folder, *flags)


@pytest.mark.parametrize(
    "name", ["sha1", "sha2-512", "sha3-256", "sha3-512", "blake2b-256", "blake2s-256", "blake3", "dbl-sha2-256"]
)
def test_every_hash(kubos: dict[str, Kubo], tmp_path: Path, name: str) -> None:
    folder = write_tree(tmp_path / "tree")
    kubo = kubos[V0]
    assert text(add_path(folder, profile(V0, hash_code=multihash.code_of(name)), Blocks())) == kubo.add(
        folder, f"--hash={name}"
    )


@pytest.mark.parametrize("base", [V0, V1])
@pytest.mark.parametrize("threshold", [262144, 1])
def test_mode_and_mtime_of_a_whole_tree(kubos: dict[str, Kubo], tmp_path: Path, base: str, threshold: int) -> None:
    folder = write_tree(tmp_path / "tree")
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if not path.is_symlink():
            path.chmod((0o600, 0o644, 0o4755, 0o1777)[number % 4] | (0o700 if path.is_dir() else 0))
        os.utime(
            path, ns=(0, 1_600_000_000_123_456_789 + number if number % 3 else 10**9 * number), follow_symlinks=False
        )
    os.utime(folder, ns=(0, 5_000_000_007))
    kubo = kubos[base]
    with threshold_of(kubo, threshold):
        theirs = kubo.add(folder, "--preserve-mode", "--preserve-mtime", "--raw-leaves=false")
    chosen = for_metadata(profile(base, hamt_threshold=threshold))
    assert text(add_path(folder, chosen, Blocks(), keep=True)) == theirs


@pytest.mark.parametrize("mtime", [(-1, 0), (-(10**10), 5), (1, 1), (2**40, 999_999_999)])
@pytest.mark.parametrize("content", [b"", b"small", noise(7, 700_000)], ids=["empty", "small", "large"])
@pytest.mark.parametrize("trickle", [False, True])
def test_mode_and_mtime_given_for_one_file(
    kubos: dict[str, Kubo], content: bytes, mtime: tuple[int, int], trickle: bool
) -> None:
    flags = ["--mode=0640", f"--mtime={mtime[0]}", f"--mtime-nsecs={mtime[1]}", *(["--trickle"] if trickle else [])]
    chosen = profile(V0, layout="trickle" if trickle else "balanced")
    ours = text(add_bytes(content, chosen, Blocks(), Metadata(0o640, mtime)))
    assert ours == kubos[V0].add_bytes(content, "--only-hash", *flags)


def test_kubo_counts_the_size_of_a_tree_as_we_do(kubos: dict[str, Kubo], tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "tree")
    for base, kubo in kubos.items():
        built = add_path(folder, profile(base), Blocks())
        kubo.add(folder)
        said = kubo.text("files", "stat", "--format=<cumulsize>", f"/ipfs/{CID.from_bytes(built.cid)}")
        assert int(said) == built.tsize
