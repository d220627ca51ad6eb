"""Checks which addresses a channel may be called at: public ones, and those of hosts that the operator named.

The check sits where a socket is made for one address, just before it is connected, and aiohttp goes through there for
literal addresses, too. Nothing can change between check and use, whatever DNS answers the next time.
"""

import errno
import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import AddrInfoType

_NOT_PUBLIC_V4: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT; a cloud's metadata at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host agent, at an address that looks public
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")
"""All that is assigned as global unicast; the rest of IPv6 is refused without a list."""
_NOT_PUBLIC_V6: Final = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments, among them Teredo, which wraps any IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which wraps any IPv4 address
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches it; the last four bytes are the address that is meant."""


class ForbiddenAddressError(OSError):
    """An address that is not public, of a host that is not in ``allow_private``; nothing was sent to it."""

    def __init__(self, address: str) -> None:
        super().__init__(
            errno.EACCES, f"{address} is not a public address; if it is meant, name the host in allow_private"
        )


def is_public(address: str) -> bool:
    """Return whether an address is a public one; what cannot be read as an address is not."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public_v4(parsed) if isinstance(parsed, IPv4Address) else _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.ipv4_mapped is not None:
        return _is_public_v4(address.ipv4_mapped)
    if address in _NAT64:
        return _is_public_v4(IPv4Address(address.packed[-4:]))
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def public_socket(info: AddrInfoType) -> socket.socket:
    """Make the socket for one address that is about to be connected.

    Raises
    ------
    ForbiddenAddressError
        The address is not public. aiohttp then tries the host's other addresses, which are checked as well.

    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise ForbiddenAddressError(str(address[0]))
    return socket.socket(family, kind, protocol)


def canonical_hosts(hosts: Iterable[str]) -> frozenset[str]:
    """Return the names of hosts, or literal addresses, in the form of :func:`canonical_host`."""
    return frozenset(map(canonical_host, hosts))


@lru_cache(maxsize=1_024)  # asked for each request, and a channel has one host
def canonical_host(host: str) -> str:
    """Return a host in one form: lower case, no brackets, no dot at the end, an address in its shortest form."""
    text = host.strip().removeprefix("[").removesuffix("]").rstrip(".").lower()
    try:
        return str(ip_address(text))
    except ValueError:
        return text
