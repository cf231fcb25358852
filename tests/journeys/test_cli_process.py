"""What happens around a command: terminals, pipes that close, Ctrl-C, several at once, and how fast it starts."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pexpect
import pytest

from pinfold import __version__
from tests.support.cli import TIMEOUT_S, Pinfold


def terminal(pinfold: Pinfold, *args: str) -> pexpect.spawn[bytes]:
    program, *rest = pinfold.command(*args)
    return pexpect.spawn(
        program, rest, cwd=str(pinfold.work), env=pinfold.environment, timeout=TIMEOUT_S, dimensions=(24, 100)
    )


def test_the_version_is_told_before_anything_is_loaded(pinfold: Pinfold) -> None:
    assert pinfold("--version").out == f"pinfold {__version__}\n"


def test_a_closed_pipe_ends_quietly(pinfold: Pinfold) -> None:
    for number in range(400):
        pinfold.write(f"many/{'n' * 200}{number}", b"%d" % number)
    root = pinfold.add("many")
    for args in (["ls", root], ["refs", "local"], ["pin", "ls"], ["dag", "export", root]):
        with subprocess.Popen(
            pinfold.command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=pinfold.environment
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            err = process.stderr.read()
            assert process.wait(TIMEOUT_S) in (0, 141)
        assert err == b""


def test_ctrl_c_is_one_line_and_leaves_a_whole_store(pinfold: Pinfold) -> None:
    kept = pinfold.add(stdin=b"kept")
    with subprocess.Popen(
        pinfold.command("add", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=pinfold.environment,
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        for number in range(64):  # more than the pipe holds: it is being read when the signal comes
            process.stdin.write(number.to_bytes(2, "big") * 32_768)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
        assert process.wait(TIMEOUT_S) == 130
    assert err.decode().count("\n") == 1 and err.startswith(b"Error: interrupted")
    assert pinfold("repo", "verify").code == 0
    assert pinfold("pin", "ls", "-q").lines == [kept]


def test_ctrl_c_in_the_middle_of_a_large_file_keeps_nothing_of_it(pinfold: Pinfold) -> None:
    with (pinfold.work / "big").open("wb") as file:
        for number in range(300):
            file.write(number.to_bytes(4, "big") * (1 << 18))
    segments = pinfold.data_dir / "segments"
    with subprocess.Popen(
        pinfold.command("add", "big"), stderr=subprocess.PIPE, cwd=pinfold.work, env=pinfold.environment
    ) as process:
        while process.poll() is None and not any(path.stat().st_size > 20 << 20 for path in segments.glob("*.car")):
            pass
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        err = process.stderr.read().decode()
        assert (process.wait(TIMEOUT_S), err.count("\n")) == (130, 1), err
    assert err.startswith("Error: interrupted")
    assert pinfold("refs", "local").out == ""
    assert pinfold("repo", "verify").code == 0


@pytest.mark.parametrize("line", ["pin ls >&-", "pin ls <&- >&- 2>&-", "block put <&-", "--version >&-"])
def test_closed_standard_streams_do_not_hurt(pinfold: Pinfold, line: str) -> None:
    pinfold.add(stdin=b"x")
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(pinfold.command())} {line}"], env=pinfold.environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_behind_standard_output_is_a_sentence(pinfold: Pinfold) -> None:
    root = pinfold.add(stdin=b"x")
    for args in (["cat", root], ["pin", "ls"], ["dag", "export", root]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                pinfold.command(*args), stdout=full, stderr=subprocess.PIPE, env=pinfold.environment, check=False
            )
        assert (done.returncode, done.stderr) == (1, b"Error: No space left on device\n")


def test_binary_never_goes_to_a_terminal(pinfold: Pinfold) -> None:
    root = pinfold.add(stdin=b"x")
    for args in (("dag", "export", root), ("block", "get", root)):
        child = terminal(pinfold, *args)
        child.expect("is binary and would upset the terminal")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 2


def test_a_terminal_shows_progress_and_then_the_result(pinfold: Pinfold) -> None:
    with (pinfold.work / "big").open("wb") as file:
        file.truncate(600 << 20)
    child = terminal(pinfold, "add", "--only-hash", "big")
    child.expect(re.compile(rb"\[=* *\] +\d+%  [\d.]+ MiB / 600.0 MiB.*/s"))
    child.expect(rb"added baf\w+ big\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_add_without_anything_to_add_does_not_wait_for_the_keyboard(pinfold: Pinfold) -> None:
    child = terminal(pinfold, "add")
    child.expect("give a PATH, or pipe something into standard input")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2


def test_many_processes_share_one_data_folder(pinfold: Pinfold) -> None:
    processes = [
        subprocess.Popen(
            [*pinfold.command("add", "-Q", "-"), "--stdin-name", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=pinfold.environment,
        )
        for number in range(6)
    ]
    roots = [
        process.communicate(b"content %d" % number)[0].decode().strip() for number, process in enumerate(processes)
    ]
    assert all(process.returncode == 0 for process in processes)
    assert sorted(pinfold("pin", "ls", "-q").lines) == sorted(roots)
    for number, root in enumerate(roots):
        assert pinfold("cat", root).stdout == b"content %d" % number


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_what_their_shell_reads(pinfold: Pinfold, tmp_path: Path, shell: str) -> None:
    import shutil

    script = pinfold("completion", shell).out
    assert "pinfold --complete" in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_bash_completes_commands(pinfold: Pinfold, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "pinfold"
    program.write_text(f'#!/bin/sh\nexec {" ".join(pinfold.command())} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(pinfold("completion", "bash").out)
    asked = f"source {tmp_path}/script; COMP_WORDS=(pinfold pin u); COMP_CWORD=2; _pinfold; echo ${{COMPREPLY[@]}}"
    path = f"{program.parent}:{pinfold.environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", asked], env={**pinfold.environment, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "update\n"
