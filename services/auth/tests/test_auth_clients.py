"""Where a call comes from, as far as the gateway, the connection and the caller's own words tell."""

import pytest

from auth.convert.clients import read_address, read_peer, to_client
from auth.model.accounts import Client

HEADER = "x-envoy-external-address"


def test_a_client_is_what_the_gateway_says_of_it_and_what_it_says_of_itself():
    metadata = [(HEADER, "192.0.2.1"), ("user-agent", "curl/8"), ("accept-language", "fa"), ("x-bin", b"1")]
    assert to_client(metadata, "ipv4:10.0.0.1:4711", HEADER) == Client("192.0.2.1", "curl/8", "fa")
    named = to_client(metadata, "ipv4:10.0.0.1:4711", HEADER, device="laptop", device_token="t")
    assert (named.device, named.device_token) == ("laptop", "t")


def test_where_no_gateway_speaks_the_connection_does():
    assert to_client([], "ipv4:10.0.0.1:4711", HEADER) == Client("10.0.0.1")
    assert to_client([(HEADER, "not an address")], "ipv4:10.0.0.1:4711", HEADER).address == "10.0.0.1"
    assert to_client([("x-forwarded-for", "203.0.113.9")], "ipv4:10.0.0.1:4711", HEADER).address == "10.0.0.1"


@pytest.mark.parametrize(
    ("written", "client"),
    [
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("192.0.2.1, 10.0.0.1", ""),
        ("0300.0000.0002.0001", ""),
    ],
)
def test_all_addresses_of_one_customer_are_one_client(written, client):
    assert read_address(written) == client


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("ipv4:10.0.0.1:4711", "10.0.0.1"),
        ("ipv6:%5B::1%5D:4711", "::/64"),
        ("ipv6:[::1]:1", "::/64"),
        ("unix:", "unix"),
    ],
)
def test_the_name_of_a_connection_holds_its_address(peer, client):
    assert read_peer(peer) == client
