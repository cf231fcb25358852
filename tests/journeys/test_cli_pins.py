"""pin and repo: keeping, letting go, collecting and checking."""

from __future__ import annotations

import shutil

import pytest

from tests.support.cli import Pinfold

NOT_HERE = "bafkreifvomsorwwiqokitrhtz3v563544in3bpa7rm4i6yt5nop54s3pca"


@pytest.fixture
def root(pinfold: Pinfold) -> str:
    """An unpinned folder of two files."""
    pinfold.write("d/a", b"a" * 100)
    pinfold.write("d/b", b"b" * 100)
    return pinfold.add("--no-pin", "d")


def test_pins_of_every_kind_are_added_listed_and_removed(pinfold: Pinfold, root: str) -> None:
    assert pinfold("pin", "add", "--name", "trip", root).out == f"pinned {root} recursively\n"
    assert pinfold("pin", "ls", "--type", "recursive").out == f"{root} recursive trip\n"
    leaf = pinfold("resolve", "--json", f"{root}/a").json["cid"]
    assert f"{leaf} indirect" in pinfold("pin", "ls").lines
    assert pinfold("pin", "ls", "-q", "--type", "indirect").lines.count(leaf) == 1
    assert pinfold("pin", "ls", "--name", "ri").lines == [f"{root} recursive trip"]
    assert pinfold("pin", "ls", "--name", "other").out == ""
    assert pinfold("pin", "rm", root).out == f"unpinned {root}\n"
    assert pinfold("pin", "ls").out == ""
    assert pinfold("pin", "add", "--recursive=false", root).out == f"pinned {root} directly\n"
    assert pinfold("pin", "ls").out == f"{root} direct\n"
    assert pinfold("pin", "ls", root).lines == [f"{root} direct"]


def test_what_is_not_pinned_cannot_be_listed_or_unpinned(pinfold: Pinfold, root: str) -> None:
    assert "is not pinned" in pinfold("pin", "ls", root, code=33).err
    error = pinfold("pin", "rm", root, code=33).err
    assert error.startswith("Error: ") and "Hint: " in error


def test_a_pin_of_what_is_not_here_is_refused(pinfold: Pinfold) -> None:
    assert NOT_HERE in pinfold("pin", "add", NOT_HERE, code=31).err


def test_a_pin_moves_to_another_root(pinfold: Pinfold, root: str) -> None:
    pinfold("pin", "add", root)
    pinfold.write("d/c", b"c")
    other = pinfold.add("--no-pin", "d")
    assert pinfold("pin", "update", root, other).out == f"updated {root} to {other}\n"
    assert pinfold("pin", "ls", "-q", "--type", "recursive").lines == [other]
    pinfold("pin", "update", "--unpin=false", other, root)
    assert set(pinfold("pin", "ls", "-q", "--type", "recursive").lines) == {root, other}


def test_verify_names_the_pin_that_is_broken(pinfold: Pinfold, root: str) -> None:
    pinfold("pin", "add", root)
    assert pinfold("pin", "verify", root).out == f"{root} ok\n"
    assert pinfold("repo", "verify").code == 0
    leaf = pinfold("resolve", "--json", f"{root}/a").json["cid"]
    pinfold.damage(b"a" * 100)
    broken = pinfold("pin", "verify", root, code=63)
    assert broken.lines[0] == f"{root} broken" and leaf in broken.out
    assert pinfold("pin", "verify", "-q", code=63).lines == [root]
    checked = pinfold("repo", "verify", "--json", code=63)
    assert checked.json["ok"] is False
    (problem,) = [row for row in checked.json["problems"] if row["kind"] == "corrupt-block"]
    assert problem["cid"] == leaf and root in problem["pins"]
    assert '"code": "VERIFICATION_FAILED"' in checked.err


def test_gc_gives_back_what_no_pin_needs(pinfold: Pinfold, root: str) -> None:
    kept = pinfold.add(stdin=b"kept")
    before = pinfold("repo", "stat", "--json").json
    planned = pinfold("repo", "gc", "--dry-run", "--json").json
    assert (planned["dry_run"], planned["blocks"]) == (True, 3)
    assert pinfold("repo", "stat", "--json").json["blocks"] == before["blocks"]
    done = pinfold("repo", "gc", "--json").json
    assert (done["blocks"], done["bytes"]) == (planned["blocks"], planned["bytes"])
    assert pinfold("repo", "stat", "--json").json["blocks"] == before["blocks"] - 3
    assert pinfold("cat", kept).out == "kept"
    pinfold("cat", f"{root}/a", code=31)
    assert pinfold("repo", "gc").out.startswith("removed 0 blocks")


def test_repo_stat_counts(pinfold: Pinfold, root: str) -> None:
    stat = pinfold("repo", "stat", "--json").json
    assert (stat["blocks"], stat["pins"], stat["segments"]) == (3, 0, 1)
    assert stat["size_bytes"] >= stat["block_bytes"] > 200
    lines = dict(line.split(maxsplit=1) for line in pinfold("repo", "stat").lines)
    assert (lines["NumObjects:"], lines["RepoPath:"]) == ("3", str(pinfold.data_dir))


@pytest.mark.parametrize("harm", ["gone", "overwritten", "cut off"])
def test_a_lost_catalogue_is_said_plainly_and_rebuilt_with_its_pins(pinfold: Pinfold, root: str, harm: str) -> None:
    pinfold("pin", "add", "--name", "trip", root)
    catalogue = pinfold.data_dir / "catalogue" / "data.mdb"
    if harm == "gone":
        shutil.rmtree(catalogue.parent)
    elif harm == "overwritten":
        catalogue.write_bytes(b"\xff" * catalogue.stat().st_size)
    else:
        catalogue.write_bytes(catalogue.read_bytes()[:5000])
    error = pinfold("pin", "ls", code=85).err
    assert "Hint: `pinfold repo rebuild`" in error
    assert pinfold("repo", "rebuild").out.startswith("rebuilt: 3 blocks and 1 pin from 1 segment")
    assert pinfold("pin", "ls", "--type", "recursive").out == f"{root} recursive trip\n"
    assert pinfold("cat", f"{root}/b").stdout == b"b" * 100
    assert pinfold("repo", "verify").code == 0


def test_a_data_folder_from_the_future_is_left_alone(pinfold: Pinfold, root: str) -> None:
    (pinfold.data_dir / "VERSION").write_text("999\n")
    for args in (["pin", "ls"], ["add", "d"], ["repo", "rebuild"], ["repo", "gc"]):
        assert "newer version" in pinfold(*args, code=82).err


def test_a_path_that_is_no_data_folder_is_refused(pinfold: Pinfold) -> None:
    pinfold.write("d/a", b"a")
    pinfold("--data-dir", "d", "pin", "ls", code=84)
    pinfold.write("file", b"a")
    pinfold("--data-dir", "file", "pin", "ls", code=84)
    assert (pinfold.work / "file").read_bytes() == b"a"


def test_repair_without_a_gateway_that_answers_says_what_is_still_bad(pinfold: Pinfold, root: str) -> None:
    pinfold("pin", "add", root)
    pinfold.damage(b"b" * 100)
    answer = pinfold("repo", "repair", "--from", "http://127.0.0.1:9", code=63)
    assert "corrupt-block" in answer.out
    assert pinfold("repo", "repair", code=2).err.endswith("Missing option '--from'.\n")


def test_repair_fetches_from_a_gateway(pinfold: Pinfold, root: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    import http.server
    import threading

    class Gateway(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"b" * 100)

        def log_message(self, *args: object) -> None:
            return

    pinfold("pin", "add", root)
    pinfold.damage(b"b" * 100)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        answer = pinfold("repo", "repair", "--from", f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
        thread.join()
    leaf = pinfold("resolve", "--json", f"{root}/b").json["cid"]
    assert answer.lines == [f"repaired {leaf}"]
    assert pinfold("repo", "verify").code == 0
    assert pinfold("cat", f"{root}/b").stdout == b"b" * 100
