"""The same words to Pinfold and to the real Kubo print the same lines, so that scripts go on working."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.support.cli import Pinfold
from tests.support.kubo import Kubo

V0 = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"
V1 = "bafybeiffndsajwhk3lwjewwdxqntmjm4b5wxaaanokonsggenkbw6slwk4"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files, folders, links and odd names."""
    home = tmp_path_factory.mktemp("same-lines")
    tree = home / "work" / "tree"
    (tree / "sub" / "empty").mkdir(parents=True)
    (tree / "hello.txt").write_bytes(b"hello\n")
    (tree / "big").write_bytes(bytes(range(256)) * 4000)
    (tree / "sub" / "мир 世界").write_bytes(b"peace")
    (tree / "sub" / 'a "b" \\ \t\n\x1b').write_bytes(b"odd")
    (tree / "link").symlink_to("hello.txt")
    return home


@pytest.fixture(scope="module")
def pinfold(place: Path) -> Pinfold:
    pinfold = Pinfold(place)
    pinfold("add", "--profile", "unixfs-v0-2015", "tree")
    return pinfold


@pytest.fixture(scope="module")
def root(pinfold: Pinfold, place: Path, kubo: Kubo) -> str:
    cid = pinfold.add("--profile", "unixfs-v0-2015", "tree")
    assert kubo.add(place / "work" / "tree") == cid
    return cid


@pytest.mark.parametrize(
    "line",
    [
        "ls {root}",
        "ls -v {root}",
        "ls --size=false {root}",
        "ls {root} {root}/sub",
        "refs {root}",
        "refs -r -e {root}",
        "refs -r -u {root}",
        "refs -r --max-depth 1 {root}",
        "refs --format '<linkname>: <src> <dst>' {root}",
        "resolve /ipfs/{root}/sub",
        "cat {root}/hello.txt",
        "cat -o 3 -l 300000 {root}/hello.txt {root}/big",
        "block stat {root}",
        "block get {root}",
        "dag get {root}",
        "dag get {root}/sub",
        "dag get --output-codec dag-cbor {root}",
        "dag export {root}",
        "pin ls --type recursive {root}",
        "pin ls -q {root}",
        f"cid format -v 1 {V0}",
        f"cid format -b base36 {V1}",
        f"cid format --mc raw {V0}",
        f"cid format -f '%b %B %v %V %c %C %h %H %L %m %M %d %D %s %S %P %%' {V1}",
        f"cid format -f '%b %m %s %S' -b base64url {V1}",
        f"cid inspect {V0}",
        f"cid inspect {V1}",
    ],
)
def test_reading_prints_kubos_lines(pinfold: Pinfold, kubo: Kubo, root: str, line: str) -> None:
    words = shlex.split(line.replace("{root}", root))
    assert pinfold(*words).stdout == kubo.run(*words)


@pytest.mark.parametrize(
    "line",
    [
        "add -r tree",
        "add -q -r tree",
        "add -w -r tree tree/hello.txt",
        "add --cid-version 1 -n -r tree",
        "add --hash sha3-256 -Q -r tree",
        "add --inline -r tree",
        "add -s size-1000 -t -q tree/big",
        "add --pin=false -H -Q -r tree",
    ],
)
def test_adding_prints_kubos_lines(
    pinfold: Pinfold, kubo: Kubo, root: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = line.split()
    monkeypatch.chdir(pinfold.work)
    ours = pinfold(words[0], "--profile", "unixfs-v0-2015", *words[1:]).stdout.splitlines()
    theirs = kubo.run(*words).splitlines()
    assert sorted(ours) == sorted(theirs)  # Kubo walks folders in an order of its own
    assert ours[-1] == theirs[-1]


def test_pins_and_blocks_are_changed_in_kubos_words(pinfold: Pinfold, kubo: Kubo) -> None:
    first, second = (b"first of the two", b"second of the two")

    def both(*words: str, stdin: bytes = b"") -> str:
        ours = pinfold(*words, stdin=stdin).stdout
        assert ours == kubo.run(*words, input=stdin)
        return ours.decode()

    old = both("block", "put", stdin=first).strip()
    new = both("block", "put", "--mhtype", "blake2b-256", stdin=second).strip()
    both("pin", "add", "--name", "x", old)
    both("pin", "ls", "--names", "--type", "recursive", old)
    both("pin", "update", old, new)
    both("pin", "rm", new)
    both("pin", "add", "-r=false", new)
    both("pin", "ls", "--type", "direct", new)
    both("pin", "rm", "-r=false", new)
    both("block", "rm", old, new)
    both("block", "rm", "-f", "-q", old)
    node = both("dag", "put", stdin=b'{"x": [1, 2.5, null, {"/": {"bytes": "aGk"}}]}').strip()
    both("dag", "get", node)
    both("dag", "get", f"{node}/x/1")


def test_imports_print_kubos_lines(pinfold: Pinfold, kubo: Kubo, root: str) -> None:
    car = pinfold("dag", "export", root).stdout
    assert pinfold("dag", "import", "--stats", "-", stdin=car).stdout == kubo.run("dag", "import", "--stats", input=car)


def test_dag_stat_prints_kubos_numbers(pinfold: Pinfold, kubo: Kubo, root: str) -> None:
    ours, theirs = (
        text.decode().split() for text in (pinfold("dag", "stat", root).stdout, kubo.run("dag", "stat", root))
    )
    assert [word for word in ours if word.isdigit()] == [word for word in theirs if word.isdigit()]
