"""Lines, names, sizes."""

from __future__ import annotations

import io

import pytest

from pinfold.cli import output
from pinfold.cli.options import byte_size
from pinfold.cli.progress import ProgressBar, describe
from pinfold.node.model import Progress


@pytest.mark.parametrize(("number", "shown"), [(0, "0 blocks"), (1, "1 block"), (2, "2 blocks")])
def test_one_of_something_is_no_plural(number: int, shown: str) -> None:
    assert output.count(number, "block") == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.txt", "plain.txt"),
        ("мир 世界 🎈", "мир 世界 🎈"),
        ('say "hi"', 'say "hi"'),
        ("two\nlines", "two\\nlines"),
        ("red\x1b[31m", "red\\x1b[31m"),
        ("back\\slash", "back\\\\slash"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), "\\xff\\xfe"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_names_cannot_move_the_cursor(name: str, shown: str) -> None:
    assert output.printable(name) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (5 * 1024**3, "5.0 GiB"),
        (3000 * 1024**5, "3000.0 PiB"),
    ],
)
def test_sizes_for_people(count: int, shown: str) -> None:
    assert output.size(count) == shown


@pytest.mark.parametrize(
    ("text", "count"), [("262144", 262144), ("256KiB", 262144), ("1MB", 1_000_000), ("2 GiB", 2 << 30), ("4k", 4096)]
)
def test_sizes_from_people(text: str, count: int) -> None:
    assert byte_size(text) == count


@pytest.mark.parametrize("text", ["", "-1", "12parsecs", "KiB", "1.5MiB", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is no size"):
        byte_size(text)


def test_columns_are_aligned_but_for_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    output.columns([("a", "1", "x"), ("bbb", "22", "yyyy")])
    assert capsys.readouterr().out == "a   1  x\nbbb 22 yyyy\n"


def test_no_rows_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    output.columns([])
    assert capsys.readouterr().out == ""


def test_json_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    output.json_line({"name": "é\udcff\n"})
    assert capsys.readouterr().out == '{"name":"\\u00e9\\udcff\\n"}\n'


def test_progress_says_how_far_how_fast_and_how_long() -> None:
    line = describe(Progress(256 << 20, 1 << 30, 3, 10), 2.0)
    assert line == "[======                  ]  25%  256.0 MiB / 1.0 GiB  3 / 10 items  128.0 MiB/s  6 s left"


def test_progress_without_a_total_has_no_bar() -> None:
    assert describe(Progress(1024, 0, 0, 0), 1.0) == "1.0 KiB  1.0 KiB/s"


def test_progress_counts_items_where_bytes_are_not_known() -> None:
    assert describe(Progress(0, 0, 1200, 0), 1.0) == "0 B  1,200 items"


@pytest.mark.parametrize(("left_s", "shown"), [(90, "1 min 30 s left"), (7260, "2 h 1 min left")])
def test_long_waits_are_told_in_minutes_and_hours(left_s: int, shown: str) -> None:
    assert describe(Progress(1, 1 + left_s, 0, 0), 1.0).endswith(shown)


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    assert ProgressBar(stream=io.StringIO()).update is None


def test_the_bar_is_drawn_at_intervals_and_taken_away() -> None:
    stream, now = io.StringIO(), [0.0]
    with ProgressBar(shown=True, stream=stream, clock=lambda: now[0]) as bar:
        assert bar.update is not None
        for moment in (0.01, 0.2, 0.21, 0.25):
            now[0] = moment
            bar.update(Progress(512, 1024, 0, 0))
    assert stream.getvalue().count("50%") == 1
    assert stream.getvalue().endswith("\r\x1b[2K")
