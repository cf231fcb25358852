"""Which connection makes room for a new one, what counts as one address, and how many there may be."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pinfold.http.connections import Connections, address_key
from pinfold.http.descriptors import connections_for_each

NOW = 1000.0


@dataclass(eq=False)
class One:
    """A connection."""

    name: str
    home: Connections
    address: str
    idle_since: float | None = None
    stalled_since: float | None = None
    log: list[str] = field(default_factory=list)

    def evict(self) -> None:
        self.home.remove(self, self.address)
        self.log.append(self.name)


def world(most: int = 4, most_per_address: int = 2, exempt: tuple[str, ...] = ()) -> tuple[Connections, list[str]]:
    """Counted connections, and the names of those that made room."""
    return Connections(most, most_per_address, lambda: NOW, exempt), []


def test_an_address_over_its_limit_makes_room_among_its_own() -> None:
    home, gone = world()
    for name, address, since in (("other", "10.0.0.2", 1.0), ("old", "10.0.0.1", 2.0), ("new", "10.0.0.1", 3.0)):
        assert home.admit(One(name, home, address, since, log=gone), address)
    assert home.admit(One("next", home, "10.0.0.1", 4.0, log=gone), "10.0.0.1")
    assert (gone, len(home)) == (["old"], 3)


def test_a_full_listener_makes_room_among_those_of_the_address_that_has_most() -> None:
    home, gone = world(most=3)
    for name, address in (("honest", "10.0.0.1"), ("first", "10.0.0.2"), ("second", "10.0.0.2")):
        assert home.admit(One(name, home, address, 1.0 if name == "honest" else 2.0, log=gone), address)
    assert home.admit(One("new", home, "10.0.0.3", 3.0, log=gone), "10.0.0.3")
    assert gone in (["first"], ["second"])


def test_an_answer_makes_room_only_when_nothing_of_it_was_taken_for_a_while() -> None:
    home, gone = world()
    home.admit(One("busy", home, "a", None, None, gone), "a")
    home.admit(One("moving", home, "a", None, NOW - 1, gone), "a")
    assert not home.admit(One("new", home, "a", NOW, None, gone), "a")
    home.remove(next(iter(home._by_address["a"])), "a")
    home, gone = world()
    home.admit(One("busy", home, "a", None, None, gone), "a")
    home.admit(One("stalled", home, "a", None, NOW - 60, gone), "a")
    assert home.admit(One("new", home, "a", NOW, None, gone), "a")
    assert gone == ["stalled"]


def test_a_declared_proxy_may_have_all_connections() -> None:
    home, gone = world(exempt=("10.0.0.0/8",))
    for number in range(4):
        assert home.admit(One(str(number), home, "10.1.2.3", None, log=gone), "10.1.2.3")
    assert not home.admit(One("5", home, "10.1.2.3", None, log=gone), "10.1.2.3")
    assert not gone


def test_a_connection_is_removed_once() -> None:
    home, gone = world()
    one = One("one", home, "a", 1.0, log=gone)
    home.admit(one, "a")
    home.remove(one, "a")
    home.remove(one, "a")
    assert len(home) == 0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address: str, key: str) -> None:
    assert address_key(address) == key


@pytest.mark.parametrize(
    ("wanted", "listeners", "descriptors", "each"),
    [(1024, 2, 1 << 20, 1024), (1024, 2, 4096, 1024), (1024, 2, 1024, 384), (1024, 1, 1024, 768), (1024, 3, 100, 16)],
)
def test_descriptors_are_kept_back_for_files(wanted: int, listeners: int, descriptors: int, each: int) -> None:
    assert connections_for_each(wanted, listeners, descriptors) == each
