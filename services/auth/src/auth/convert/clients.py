"""Where a call comes from, read from what came with it."""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from auth.model.accounts import Client

Metadata = Iterable[tuple[str, str | bytes]]
# A provider gives a whole /64 to each customer (RFC 6177), who may use any address of it.
CUSTOMER_PREFIX = 64
LONGEST_LANGUAGE = 200


def to_client(
    metadata: Metadata, peer: str, address_header: str, *, device: str = "", device_token: str = ""
) -> Client:
    """Returns the client. Where no gateway has said the address, it is the connection's own."""
    sent = {key: value for key, value in metadata if isinstance(value, str)}
    address = read_address(sent.get(address_header, "")) or read_peer(peer)
    language = sent.get("accept-language", "")[:LONGEST_LANGUAGE]
    return Client(address, device or sent.get("user-agent", ""), language, device_token)


def read_address(text: str) -> str:
    """Returns what stands for one customer of the network: the IPv4 address or the IPv6 prefix; empty for neither."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((address.packed, CUSTOMER_PREFIX), strict=False))


def read_peer(peer: str) -> str:
    """Returns the address in gRPC's name for a connection, such as `ipv4:10.0.0.1:4711` or `ipv6:%5B::1%5D:4711`."""
    kind, _, rest = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return kind
    host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
    return read_address(host) or host
