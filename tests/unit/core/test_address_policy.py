"""Which addresses a stranger may make this server connect to."""

from __future__ import annotations

import socket

import pytest

from pinfold.core.address_policy import is_public, leads_inside

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
REFUSED = {
    "this network": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd00:ec2::254", "fec0::1"],
    "link-local": ["169.254.0.1", "169.254.169.254", "fe80::1", "fe80::1%eth0"],
    "a cloud's host": ["168.63.129.16", "100.100.100.200"],
    "carrier NAT": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "198.19.255.255", "4000::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1"],
    "compatible": ["::127.0.0.1", "::8.8.8.8"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::", "2002:808:808::", "192.88.99.1"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8"],
    "Teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "discard": ["100::1"],
    "no address": ["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "1.1.1.1/32", "1.1.1.1 ", "01.1.1.1"],
}


@pytest.mark.parametrize("ip", PUBLIC)
def test_an_address_of_the_internet_is_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize("ip", [ip for some in REFUSED.values() for ip in some])
def test_every_other_address_is_not(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize(
    "host", [*PUBLIC, "[2606:4700:4700::1111]", "16843009", "0x01.1.0401", "1.1.1.1.", "EXAMPLE.com."]
)
def test_a_public_host_leads_outside_in_every_spelling(host: str) -> None:
    assert not leads_inside(host)


@pytest.mark.parametrize(
    "host",
    [
        *(ip for kind, some in REFUSED.items() for ip in some if kind != "no address"),
        *("2130706433", "0x7f.1", "0X7F000001", "0177.0.0.01", "127.1", "127.0.0.1.", "0", "0x", "[::1]"),
        *(
            "10.0x0.1",
            "192.168.257",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3.4294967296",
            "08.1.1.1",
            "a.1",
            "1..1",
            "9" * 5000,
        ),
        *("localhost", "LOCALHOST.", "a.localhost", "printer.local", "db.internal.", "nas.home.arpa", "ip6-loopback"),
    ],
)
def test_a_host_of_this_network_leads_inside_in_every_spelling(host: str) -> None:
    assert leads_inside(host)


def test_every_spelling_that_the_system_takes_for_an_address_is_read_as_the_system_reads_it() -> None:
    for spelled in ("2130706433", "0x7f.1", "0177.1", "127.1", "010.8.8.8", "8.0x0808.8", "134744072", "0.0.0.0"):
        try:
            meant = socket.inet_ntoa(socket.inet_aton(spelled))
        except OSError:
            assert leads_inside(spelled)
        else:
            assert leads_inside(spelled) is not is_public(meant), spelled
