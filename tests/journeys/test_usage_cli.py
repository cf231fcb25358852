"""What ``pinfold usage show`` says before anything was measured."""

from __future__ import annotations

from tests.support.cli import Pinfold


def test_bytes_that_were_not_measured_yet_are_shown_as_unknown_and_not_as_none(pinfold: Pinfold) -> None:
    pinfold.data_dir.mkdir()
    pinfold("db", "upgrade")
    pinfold("org", "create", "Acme")
    shown = pinfold("usage", "show", "--days", "1")
    head, today = shown.lines
    assert "have not been measured yet" in shown.err
    assert head.split()[3:6] == ["logical", "unique", "shared"]
    assert today.split()[3:7] == ["0", "B", "-", "-"]
    told = pinfold("usage", "show", "--days", "1", "--json").json
    assert (told["logical_bytes"], told["unique_bytes"], told["shared_bytes"]) == (0, None, None)
