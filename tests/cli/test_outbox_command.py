"""``holdfast outbox``: real commands beside a running server, and the same outbox that the routes show."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest
from click.testing import CliRunner

from adapters.contract.orders import Refuse, Ship
from server.cli.outbox import outbox
from server.domain.intake import News, OutboxEntry
from server.store.keys import ChannelKeys, Keyspace
from tests.support.docs_examples import CHANNEL, CREDENTIALS
from tests.support.http import Server, opened
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

KEYS: Final = ChannelKeys(Keyspace("default"), "trendyol")
HOSTILE: Final = "\x1b[31mred"
USAGE: Final = 2
MISSING: Final = "No server publishes now"


def kept(name: str, state: Any, at_ms: int, **fields: Any) -> OutboxEntry:
    command = Ship(order="o-1", lines=(("l1", 2),), tracking="T-1", carrier=HOSTILE)
    packed = msgspec.msgpack.encode(command)
    return OutboxEntry(name, "o-1", "ship", packed, "desk", state, at_ms, at_ms, at_ms, **fields)


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Iterator[Server]:
    server = start_server(toml=CHANNEL, environment=CREDENTIALS, role="api")
    entries = (
        kept("s-waits", "waiting", 1_000, reason="the channel was not reached"),
        kept("s-unsure", "unsure", 2_000),
        kept("s-asks", "undecided", 3_000, reason=HOSTILE, sent_ms=3_000, tries=2),
        kept("s-done", "done", 4_000, remote_id="R-7"),
    )
    with server.store() as store:
        for each in entries:
            store.hset(KEYS.outbox, each.id, msgspec.msgpack.encode(each))
    yield server
    assert server.faults == []


def command(server: Server, *words: str) -> Any:
    config = str(server.directory / "holdfast.toml")
    return holdfast("outbox", *words, "--data-dir", server.data_dir, cwd=server.directory, HOLDFAST_CONFIG=config)


def news(server: Server) -> list[News]:
    """Read what the publisher would take up."""
    with server.store() as store:
        found = store.xrange(KEYS.heard)
    return [msgspec.msgpack.decode(fields[b"n"], type=News) for _, fields in found]


async def test_commands_are_listed_and_narrowed_down_as_the_route_shows_them(server: Server) -> None:
    listed = command(server)
    as_json = json.loads(command(server, "--channel", "trendyol", "--json").stdout)
    undecided = json.loads(command(server, "--state", "undecided", "--json").stdout)
    one = command(server, "--limit", "1")
    of_another = command(server, "--order", "o-2")

    async with opened(server) as api:
        shown = (await api.get("/v1/channels/trendyol/outbox")).ok()["commands"]
    assert listed.returncode == 0, listed.stderr
    assert "the channel was not reached" in listed.stdout
    assert "\x1b" not in listed.stdout
    assert (
        [each["id"] for each in as_json]
        == [each["id"] for each in shown]
        == ["s-done", "s-asks", "s-unsure", "s-waits"]
    )
    assert [each["id"] for each in undecided] == ["s-asks"]
    assert "These are the newest 1" in one.stdout
    assert "No command matches." in of_another.stdout


def test_one_command_is_shown_with_what_it_says(server: Server) -> None:
    shown = command(server, "show", "trendyol", "s-asks")
    as_json = json.loads(command(server, "show", "trendyol", "s-done", "--json").stdout)
    unknown = command(server, "show", "trendyol", "s-none")
    elsewhere = command(server, "show", "nobody", "s-asks")

    assert shown.returncode == 0, shown.stderr
    assert "s-asks: undecided" in shown.stdout
    assert "tracking: T-1" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert (as_json["command"]["lines"], as_json["remote_id"]) == ([["l1", 2]], "R-7")
    assert (unknown.returncode, "of a command in the outbox" in unknown.stderr) == (2, True)
    assert (elsewhere.returncode, "channel" in elsewhere.stderr) == (1, True)


def test_what_a_person_asks_for_is_taken_up_by_the_publisher(server: Server) -> None:
    asked = [
        command(server, "again", "trendyol", "s-asks"),
        command(server, "cancel", "trendyol", "s-waits", "s-asks", "s-waits"),
        command(server, "done", "trendyol", "s-unsure"),
        command(server, "say", "trendyol", "o-2", "refuse", "--line", "a=b=1", "--reason", "damaged"),
    ]

    assert [each.returncode for each in asked] == [0] * 4, [each.stderr for each in asked]
    assert all(MISSING in each.stderr for each in asked)
    *about, said = news(server)
    assert [(each.what, each.keys) for each in about] == [
        ("again", ["s-asks"]),
        ("cancel", ["s-waits", "s-asks"]),
        ("done", ["s-unsure"]),
    ]
    assert said.entry is not None
    assert said.entry.id in asked[-1].stdout
    assert msgspec.msgpack.decode(said.entry.command, type=Refuse) == Refuse(
        order="o-2", lines=(("a=b", 1),), reason="damaged"
    )


REFUSED: Final = {
    ("again", "trendyol", "s-done"): "s-done is done",
    ("cancel", "trendyol", "s-asks", "s-unsure"): "s-unsure is unsure",
    ("done", "trendyol", "s-waits"): "s-waits is waiting",
    ("done", "trendyol", "s-none"): "must be of a command",
    ("say", "trendyol", "o", "ship", "--line", "a"): "how many pieces",
    ("say", "trendyol", "o", "ship", "--line", "a=0"): "lines[0].quantity must be a whole number from 1",
    ("say", "trendyol", "o", "ship"): "lines is required",
    ("say", "trendyol", "o", "refuse", "--line", "a=1", "--url", "x"): "does not belong to refuse",
    ("--channel", "nobody"): "channel",
}


def test_what_cannot_be_meant_is_refused_and_nothing_is_asked_for(server: Server) -> None:
    for words, why in REFUSED.items():
        ended = command(server, *words)

        assert (ended.returncode in (1, 2), why in ended.stderr) == (True, True), (words, ended.stderr)
    assert news(server) == []


@pytest.mark.parametrize(
    "words",
    [
        ("again", "trendyol"),
        ("say", "trendyol", "o", "sing"),
        ("--limit", "0"),
        ("--state", "lost"),
        ("--limit", "5", "show", "trendyol", "s-done"),
    ],
)
def test_words_that_no_command_has_are_refused(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(outbox, words).exit_code == USAGE
