"""No request goes to an address that is not public, however it is written and whatever DNS says, unless named."""

import socket
from collections.abc import AsyncIterator
from typing import Final

import pytest

from adapters.contract.errors import NotSentError
from adapters.contract.http import Request
from server.channels.connection.address_guard import canonical_host, is_public
from server.channels.connection.dns import SystemDns
from server.channels.connection.http_transport import Transport
from tests.channels.raw_server import Names, RawServer
from tests.conftest import DEADLINE_S

SHORT_S: Final = 0.3
"""For what is never answered."""
NOWHERE: Final = "2000::1"
"""Counts as public, and is assigned to no one."""


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as started:
        yield started


@pytest.fixture
async def transports() -> AsyncIterator[list[Transport]]:
    made: list[Transport] = []
    yield made
    for transport in made:
        await transport.close()


@pytest.fixture
def guarded(transports: list[Transport]) -> Transport:
    """A transport that may call public addresses alone."""
    transports.append(Transport(timeout_s=DEADLINE_S))
    return transports[-1]


def post(url: str) -> Request:
    return Request("POST", url, {}, b'{"quantity":2}')


LOCAL_FORMS: Final = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST.",
    "127.0.0.1.",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
]


@pytest.mark.parametrize("host", LOCAL_FORMS)
async def test_no_way_of_writing_this_machine_s_address_gets_through(
    server: RawServer, guarded: Transport, host: str
) -> None:
    with pytest.raises(NotSentError):
        await guarded.send(post(f"https://{host}:{server.port}/"))

    assert server.connections == 0


async def test_a_refused_address_is_named_and_so_is_the_remedy(server: RawServer, guarded: Transport) -> None:
    with pytest.raises(NotSentError, match=r"127\.0\.0\.1 is not a public address; .* name the host in allow_private"):
        await guarded.send(post(f"https://127.0.0.1:{server.port}/"))


async def test_a_name_that_changes_its_address_after_the_first_answer_does_not_get_through(
    server: RawServer, transports: list[Transport]
) -> None:
    names = Names([NOWHERE], ["127.0.0.1"])
    transports.append(Transport(timeout_s=SHORT_S, resolver=names))

    for port in (443, server.port):
        with pytest.raises(NotSentError):
            await transports[0].send(post(f"https://rebinding.test:{port}/"))

    assert names.asked == ["rebinding.test", "rebinding.test"]
    assert server.connections == 0


@pytest.mark.parametrize("addresses", [[NOWHERE, "127.0.0.1"], ["127.0.0.1", NOWHERE], ["127.0.0.1", "::1"]])
async def test_a_private_address_among_others_does_not_get_through(
    server: RawServer, transports: list[Transport], addresses: list[str]
) -> None:
    transports.append(Transport(timeout_s=SHORT_S, resolver=Names(addresses)))

    with pytest.raises(NotSentError):
        await transports[0].send(post(f"https://mixed.test:{server.port}/"))

    assert server.connections == 0


@pytest.mark.parametrize("named_as", ["shop.test", "SHOP.Test", "shop.test."])
async def test_a_host_that_was_named_may_have_a_private_address(
    server: RawServer, transports: list[Transport], named_as: str
) -> None:
    transports.append(Transport(allow_private=[named_as], resolver=Names(["127.0.0.1"])))

    answer = await transports[0].send(post(f"http://Shop.test:{server.port}/"))

    assert answer.status == 200


async def test_a_name_is_looked_up_by_the_system_where_nothing_else_is_said(
    server: RawServer, transports: list[Transport]
) -> None:
    transports.append(Transport(allow_private=["localhost"]))

    assert (await transports[0].send(post(f"http://localhost:{server.port}/"))).status == 200


@pytest.mark.parametrize("other", ["other.test", "a.shop.test", "test", "127.0.0.1", "shop.test.evil"])
async def test_naming_one_host_names_no_other(server: RawServer, transports: list[Transport], other: str) -> None:
    transports.append(Transport(allow_private=["shop.test"], resolver=Names(["127.0.0.1"])))
    await transports[0].send(post(f"http://shop.test:{server.port}/"))

    for scheme in ("http", "https"):
        with pytest.raises(NotSentError):
            await transports[0].send(post(f"{scheme}://{other}:{server.port}/"))

    assert server.connections == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://shop.test/", "https"),
        ("ftp://shop.test/", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("/only/a/path", "http or https"),
        ("https://", "http or https|cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://shop.test:port/", "cannot be read"),
        ("https://7\u3002[.]_%@", "cannot be read"),
        ("https://me:hush@shop.test/", "user or password"),
    ],
)
async def test_a_url_that_may_not_be_called_is_not_sent(transports: list[Transport], url: str, reason: str) -> None:
    names = Names([NOWHERE])
    transports.append(Transport(timeout_s=SHORT_S, resolver=names))

    with pytest.raises(NotSentError, match=reason):
        await transports[0].send(post(url))

    assert names.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        NOWHERE,
    ],
)
def test_public_addresses_are_let_pass(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "::8.8.8.8",
        "64:ff9b::a00:1",
        "64:ff9b::169.254.169.254",
        "2002:a00:1::1",
        "2001:0:102:304::",
        "64:ff9b:1::1",
        "100::1",
        "5f00::1",
        "3fff::1",
        "::ffff:0:127.0.0.1",
        "",
        "localhost",
    ],
)
def test_all_other_addresses_are_refused(address: str) -> None:
    assert not is_public(address)


def test_a_host_has_one_way_of_being_written() -> None:
    hosts = ["Shop.Test", "shop.test.", " shop.test "]

    assert {canonical_host(host) for host in hosts} == {"shop.test"}
    assert canonical_host("[0:0::1]") == canonical_host("::1") == "::1"


async def test_an_address_is_looked_up_as_itself() -> None:
    found = await SystemDns().resolve("127.0.0.1", 80, socket.AF_INET)

    assert [(each["host"], each["port"]) for each in found] == [("127.0.0.1", 80)]
