"""The same folder and the same words give the same CIDs as the real Kubo, through the whole program."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinfold import Node
from pinfold.cli.output import printable
from pinfold.core import multihash
from pinfold.node.model import AddOptions
from pinfold.unixfs.profile import profile
from tests.support.cli import Pinfold
from tests.support.dags import noise
from tests.support.kubo import IPFS, WHERE_FROM, Kubo
from tests.support.trees import BYTE_NAMES, NAMES, write, write_everything, write_metadata

pytestmark = pytest.mark.kubo

V0 = "unixfs-v0-2015"
V1 = "unixfs-v1-2025"
PROFILES = (V0, V1)
KIB = 1024
MIB = 1024 * KIB
THRESHOLD = "Import.UnixFSHAMTDirectorySizeThreshold"  # Kubo has no flag for it


@pytest.fixture(scope="module")
def kubos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kubo]:
    """One Kubo for each profile: the old one is how Kubo comes, the new one is ``ipfs config profile apply``."""
    if not IPFS.exists():
        pytest.skip(WHERE_FROM)
    modern = Kubo(tmp_path_factory.mktemp("kubo-2025"))
    modern.run("config", "profile", "apply", V1)
    return {V0: Kubo(tmp_path_factory.mktemp("kubo-2015")), V1: modern}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_everything(tmp_path_factory.mktemp("everything") / "tree")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "data") as node:
        yield node


@contextmanager
def configured(kubo: Kubo, settings: dict[str, Any], back: dict[str, Any]) -> Iterator[None]:
    """A Kubo whose configuration says something else for a while."""
    kubo.configure(settings)
    try:
        yield
    finally:
        kubo.configure(back)


def their_names(kubo: Kubo, path: Path, *flags: str) -> dict[str, str]:
    """The CID that ``ipfs add -r`` prints for each path, the root under its own name.

    Kubo escapes what moves the cursor and mostly prints bytes that are no text as they are; we escape both.
    """
    lines = kubo.run("add", "-r", "--progress=false", *flags, "--", path).decode("utf-8", "backslashreplace")
    return {line.split(" ", 2)[2]: line.split(" ", 2)[1] for line in lines.rstrip("\n").split("\n")}


def our_names(node: Node, path: Path, options: AddOptions) -> dict[str, str]:
    """The same from our side, the names spelled as both print them."""
    return {printable(added.path): str(added.cid) for added in node.add([path], options)}


CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("--cid-version=0", {"cid_version": 0}),
    ("--cid-version=1", {"cid_version": 1}),
    ("--raw-leaves", {"raw_leaves": True}),
    ("--raw-leaves=false", {"raw_leaves": False}),
    ("--cid-version=1 --raw-leaves=false", {"cid_version": 1, "raw_leaves": False}),
    ("--chunker=size-65536", {"chunker": "size-65536"}),
    ("--chunker=size-1000 --max-file-links=7", {"chunker": "size-1000", "max_file_links": 7}),
    ("--chunker=rabin", {"chunker": "rabin"}),
    ("--chunker=rabin-512-4096-9000", {"chunker": "rabin-512-4096-9000"}),
    ("--chunker=buzhash", {"chunker": "buzhash"}),
    ("--trickle", {"layout": "trickle"}),
    (
        "--trickle --chunker=size-1000 --max-file-links=3 --raw-leaves",
        {"layout": "trickle", "chunker": "size-1000", "max_file_links": 3, "raw_leaves": True},
    ),
    ("--trickle --chunker=buzhash", {"layout": "trickle", "chunker": "buzhash"}),
    ("--inline", {"inline": True}),
    ("--inline --inline-limit=0", {"inline": True, "inline_limit": 0}),
    ("--inline --inline-limit=128 --cid-version=1", {"inline": True, "inline_limit": 128, "cid_version": 1}),
    *(
        (f"--hash={name}", {"hash_code": multihash.code_of(name)})
        for name in ("sha2-512", "sha3-256", "blake2b-256", "blake2s-256", "blake3")
    ),
    (
        "--hash=blake3 --trickle --inline --chunker=size-5000",
        {"hash_code": multihash.code_of("blake3"), "layout": "trickle", "inline": True, "chunker": "size-5000"},
    ),
]


@pytest.mark.parametrize("base", PROFILES)
@pytest.mark.parametrize(("flags", "choices"), CHOICES, ids=lambda each: each if isinstance(each, str) else "")
def test_every_choice_gives_kubos_cid_for_every_path(
    kubos: dict[str, Kubo], tree: Path, node: Node, base: str, flags: str, choices: dict[str, Any]
) -> None:
    ours = our_names(node, tree, AddOptions(profile=profile(base, **choices)))
    assert ours == their_names(kubos[base], tree, *flags.split())
    assert node.verify().ok


@pytest.mark.parametrize("base", PROFILES)
@pytest.mark.parametrize(
    ("flags", "choices"),
    [
        ("--hidden", {"hidden": True}),
        ("--ignore=*.log", {"ignore": ("*.log",)}),
        ("--ignore=b --ignore=names", {"ignore": ("b", "names")}),
        ("--hidden --ignore=.hidden", {"hidden": True, "ignore": (".hidden",)}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_left_out_is_what_kubo_leaves_out(
    kubos: dict[str, Kubo], tree: Path, node: Node, base: str, flags: str, choices: dict[str, Any]
) -> None:
    ours = our_names(node, tree, AddOptions(profile=profile(base), **choices))
    assert ours == their_names(kubos[base], tree, *flags.split())


def test_a_pattern_with_a_slash_is_a_path_as_in_gitignore(kubos: dict[str, Kubo], tree: Path, node: Node) -> None:
    """Kubo compares patterns with last names only, so that one with a slash leaves out nothing there."""
    ours = our_names(node, tree, AddOptions(ignore=("a/b", "/names/", "same/*")))
    everything = their_names(kubos[V1], tree)
    assert their_names(kubos[V1], tree, "--ignore=a/b") == everything
    left_out = {name for name in everything if f"{name}/".startswith(("tree/a/b/", "tree/names/", "tree/same/large/"))}
    assert ours.keys() == everything.keys() - left_out


@pytest.mark.parametrize("base", PROFILES)
@pytest.mark.parametrize("threshold", [1, 500, 2000])
def test_folders_are_sharded_where_kubo_shards_them(
    kubos: dict[str, Kubo], tree: Path, node: Node, base: str, threshold: int
) -> None:
    with configured(kubos[base], {THRESHOLD: f"{threshold}B"}, {THRESHOLD: "256KiB"}):
        theirs = their_names(kubos[base], tree)
    assert our_names(node, tree, AddOptions(profile=profile(base, hamt_threshold=threshold))) == theirs


@pytest.mark.parametrize("base", PROFILES)
@pytest.mark.parametrize("threshold", [256 * KIB, 1])
@pytest.mark.parametrize("kept", ["mode", "mtime", "mode mtime"])
def test_modes_and_times_give_kubos_cids(
    kubos: dict[str, Kubo], tmp_path: Path, node: Node, base: str, threshold: int, kept: str
) -> None:
    tree = write_everything(tmp_path / "tree")
    write_metadata(tree)
    options = AddOptions(
        profile=profile(base, hamt_threshold=threshold),
        preserve_mode="mode" in kept,
        preserve_mtime="mtime" in kept,
    )
    # Kubo refuses raw leaves together with metadata, where ours gives them up.
    flags = [*(f"--preserve-{word}" for word in kept.split()), "--raw-leaves=false"]
    with configured(kubos[base], {THRESHOLD: f"{threshold}B"}, {THRESHOLD: "256KiB"}):
        theirs = their_names(kubos[base], tree, *flags)
    assert our_names(node, tree, options) == theirs


@pytest.mark.parametrize("base", PROFILES)
def test_files_of_every_size_round_our_thresholds(
    kubos: dict[str, Kubo], tmp_path: Path, node: Node, base: str
) -> None:
    sizes = [0, 1, 64 * KIB, 256 * KIB, 1 * MIB, 2 * MIB, 4 * MIB]
    for size in {max(0, size + off) for size in sizes for off in (-1, 0, 1)}:
        write(tmp_path / "sizes" / str(size), noise(size, size))
    ours = our_names(node, tmp_path / "sizes", AddOptions(profile=profile(base)))
    assert ours == their_names(kubos[base], tmp_path / "sizes")


@pytest.mark.parametrize("base", PROFILES)
@pytest.mark.parametrize("layout", ["balanced", "trickle"])
@pytest.mark.parametrize(("chunk", "links"), [(100, 3), (70_000, 2)])
def test_files_of_every_size_round_a_full_node(
    kubos: dict[str, Kubo], tmp_path: Path, node: Node, base: str, layout: Any, chunk: int, links: int
) -> None:
    full = [chunk * links**level for level in range(4)]
    for size in {size + off for size in full for off in (-1, 0, 1)}:
        write(tmp_path / "sizes" / str(size), noise(size, size))
    chosen = profile(base, chunker=f"size-{chunk}", max_file_links=links, layout=layout)
    flags = [f"--chunker=size-{chunk}", f"--max-file-links={links}", *(["--trickle"] if layout == "trickle" else [])]
    ours = our_names(node, tmp_path / "sizes", AddOptions(profile=chosen))
    assert ours == their_names(kubos[base], tmp_path / "sizes", *flags)


@pytest.mark.parametrize("base", PROFILES)
def test_a_folder_of_20_000_entries(kubos: dict[str, Kubo], tmp_path: Path, node: Node, base: str) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(20_000):
        (folder / f"{number:x} entry of {number * number} {NAMES[number % 23]}").write_bytes(b"%d" % (number % 50))
    theirs = kubos[base].add(folder)
    *_, root = node.add([folder], AddOptions(profile=profile(base)))
    assert str(root.cid) == theirs
    assert node.file_info(root.cid).kind == "hamt"
    assert sum(1 for _ in node.ls(root.cid)) == 20_000


# -- and as a person does it, by the command line ------------------------------------------------------------------


LINES: list[tuple[str, str]] = [
    ("", ""),
    ("--cid-version 0", ""),
    ("--cid-version 1 --no-raw-leaves", "--cid-version=1 --raw-leaves=false"),
    ("--raw-leaves", ""),
    ("--chunker size-70000 --max-file-links 2", ""),
    ("--chunker rabin-1000-4096-9000", ""),
    ("--chunker buzhash --trickle", ""),
    ("--hash sha2-512", ""),
    ("--hash blake3 --inline", ""),
    ("--inline --inline-limit 100", ""),
    ("--wrap", "-w"),
    ("--wrap --hidden --ignore *.log", "-w --hidden --ignore=*.log"),
    ("--only-hash", ""),
    ("--preserve-mode --preserve-mtime", "--preserve-mode --preserve-mtime --raw-leaves=false"),
]


@pytest.mark.parametrize("base", PROFILES)
@pytest.mark.parametrize(("words", "theirs"), LINES, ids=lambda each: each)
def test_the_command_line_gives_kubos_root(
    kubos: dict[str, Kubo], tree: Path, tmp_path: Path, base: str, words: str, theirs: str
) -> None:
    pinfold = Pinfold(tmp_path)
    ours = pinfold.add("--profile", base, *shlex.split(words), str(tree))
    assert ours == kubos[base].add(tree, *(theirs or words).split())
    kept = pinfold("pin", "ls", "-q", "--type", "recursive").lines
    assert kept == ([] if "--only-hash" in words else [ours])


@pytest.mark.parametrize("base", PROFILES)
def test_standard_input_gives_kubos_root(kubos: dict[str, Kubo], tmp_path: Path, base: str) -> None:
    pinfold, kubo = Pinfold(tmp_path), kubos[base]
    for size, *flags in ((0,), (1,), (1_048_577,), (3_000_000, "--chunker", "rabin", "--trickle")):
        content = noise(size, size)
        assert pinfold.add("--profile", base, *flags, stdin=content) == kubo.add_bytes(content, *flags)
    named = pinfold("add", "--profile", base, "-w", "-q", "--stdin-name", "given 名", stdin=b"x").lines
    theirs = kubo.text("add", "-w", "-q", "--stdin-name", "given 名", input=b"x").splitlines()
    assert named[-1] == theirs[-1]


def test_several_paths_in_one_wrapping_folder(kubos: dict[str, Kubo], tree: Path, tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    paths = [str(tree / "names"), str(tree / "large"), str(tree / "a" / "link"), str(tree / ".hidden")]
    paths += [str(tree / "bytes" / os.fsdecode(BYTE_NAMES[0]))]
    ours = pinfold.add("--wrap", *paths)
    assert ours == kubos[V1].text("add", "-Q", "-r", "-w", "--", *paths)


def test_one_file_by_every_kind_of_name(kubos: dict[str, Kubo], tree: Path, tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    for name in NAMES[::4]:
        path = tree / "names" / name
        assert pinfold.add("--", str(path)) == kubos[V1].add(path)
