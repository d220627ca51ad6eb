"""Locations in the store: written together with the journal, read at once, and no further behind than a second."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.locations import EARTH_RADIUS_KM, Directory, Location, Position, distance_km
from server.domain.reservation import Changed
from server.files.locations import LOCATIONS
from server.files.reader import FileError
from server.store.connection.commands import command
from server.store.journal import journal
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.locations import REFRESH_S, KnownLocations, LocationStore, TooManyLocationsError
from tests.conftest import RETENTION, wait_until
from tests.support.operations import order, stocked
from tests.support.processes import holdfast

STORE = Location("kadikoy", "store", Position(40.99, 29.03), 5, 900, open=False, groups=("istanbul", "stores"))


@pytest.fixture
def kept(client: Redis, ledger: Ledger) -> LocationStore:
    return LocationStore(client, ledger.keyspace, RETENTION.packed())


async def meta(client: Redis, ledger: Ledger, field: str) -> bytes:
    found = await command(client, "HGET", ledger.keyspace.meta, field)
    return bytes(found or b"")


async def test_given_locations_when_put_then_they_are_read_back_with_the_defaults_of_others(
    kept: LocationStore,
) -> None:
    await kept.put([STORE, Location("main")], "tester")

    found = await kept.directory()

    assert dict(found.locations) == {"kadikoy": STORE, "main": Location("main")}
    assert (found.closed, found.groups) == (frozenset({"kadikoy"}), frozenset({"istanbul", "stores"}))
    assert (found.open_in(), found.open_in("stores")) == (frozenset({"main"}), frozenset())


async def test_given_locations_when_put_then_the_journal_names_who_did_it(
    kept: LocationStore, client: Redis, ledger: Ledger
) -> None:
    await kept.put([STORE, Location("main")], "tester")

    [change] = [change async for _, changes in journal.read(client, ledger.keyspace) for change in changes]

    assert (change.operation, change.actor, change.lines) == ("locations", "tester", [])
    version = (await meta(client, ledger, "places")).decode()
    store, main = (msgspec.json.encode(each).decode() for each in (STORE, Location("main")))
    assert change.notes == [
        ("location", "kadikoy"), ("closed", "kadikoy"), ("was", ""), ("now", store),
        ("location", "main"), ("was", ""), ("now", main), ("places", version),
    ]  # fmt: skip


async def test_given_a_closed_location_when_it_is_registered_again_then_only_an_opening_is_a_new_version(
    kept: LocationStore, client: Redis, ledger: Ledger
) -> None:
    async def version() -> int:
        return int(await meta(client, ledger, "places"))

    await kept.put([STORE], "tester")
    closed = await version()
    await kept.put([msgspec.structs.replace(STORE, priority=6)], "tester")
    assert await version() == closed

    await kept.put([msgspec.structs.replace(STORE, open=True)], "tester")

    assert await version() > closed
    assert await meta(client, ledger, "closed") == b""


async def test_given_locations_that_an_older_release_registered_when_settled_then_the_scripts_know_the_closed_ones(
    kept: LocationStore, client: Redis, ledger: Ledger
) -> None:
    keys = ledger.keyspace
    await client.hset(keys.locations, "kadikoy", msgspec.json.encode(STORE))
    await client.hincrby(keys.locations, "\0version", 1)
    await kept.put([Location("main")], "tester")  # by this release, which must not take the older one's for settled

    await kept.settle()

    assert msgspec.msgpack.decode(await meta(client, ledger, "closed")) == ["kadikoy"]
    assert await meta(client, ledger, "closed_as_of") == b"2"
    changes = [change async for _, changes in journal.read(client, keys) for change in changes]
    assert ("closed", "kadikoy") in changes[-1].notes


async def test_given_limits_of_channels_when_told_twice_then_the_version_changes_once(
    kept: LocationStore, client: Redis, ledger: Ledger
) -> None:
    await kept.limit_channels({"shop": ["main", "izmir"], "market": []})
    first = await meta(client, ledger, "places")
    await kept.limit_channels({"shop": ["izmir", "main"]})

    assert await limits_of(client, ledger) == {"shop": ["izmir", "main"]}
    assert await meta(client, ledger, "places") == first

    await kept.limit_channels({})

    assert await limits_of(client, ledger) == {}
    assert await meta(client, ledger, "limited_channels") == b""


async def limits_of(client: Redis, ledger: Ledger) -> dict[str, list[str]]:
    fields: Any = await client.hgetall(ledger.keyspace.meta)
    prefix = b"places_of \0"
    found = {name: packed for name, packed in fields.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix).decode(): msgspec.msgpack.decode(packed) for name, packed in found.items()}


async def test_given_many_channels_with_thousands_of_locations_when_told_then_a_kill_in_between_leaves_whole_ones(
    kept: LocationStore, client: Redis, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"store-{number:05d}" for number in range(5_000)]
    await stocked(ledger, A=3)
    await kept.limit_channels({"a": ["main"], "gone": names})
    told = {"a": names, "b": ["main"], "c": names}
    sent: list[str] = []
    settled = kept._settled

    async def killed(argument: Sequence[object], *more: bytes) -> bool:
        if len(sent) == 2:
            raise asyncio.CancelledError
        sent.append(str(argument[1]))
        return await settled(argument, *more)

    monkeypatch.setattr(kept, "_settled", killed)
    with pytest.raises(asyncio.CancelledError):
        await kept.limit_channels(told)
    monkeypatch.setattr(kept, "_settled", settled)

    assert await limits_of(client, ledger) == {"a": names, "b": ["main"], "gone": names}
    assert isinstance(await ledger.run(order("o", ("A", 1, ""), channel="b")), Changed)
    assert isinstance(await ledger.run(order("p", ("A", 1, ""), channel="a")), Refused)
    assert isinstance(await ledger.run(order("q", ("A", 1, ""), channel="gone")), Refused)

    await kept.limit_channels(told)

    assert await limits_of(client, ledger) == told
    assert isinstance(await ledger.run(order("r", ("A", 1, ""), channel="gone")), Changed)
    assert isinstance(await ledger.run(order("s", ("A", 1, ""), channel="c")), Refused)


async def test_given_thousands_of_locations_that_an_older_release_closed_when_settled_then_a_call_takes_some(
    kept: LocationStore, client: Redis, ledger: Ledger
) -> None:
    names = [f"store-{number:05d}" for number in range(1_200)]
    registered: Any = {name: msgspec.json.encode(msgspec.structs.replace(STORE, name=name)) for name in names}
    await client.hset(ledger.keyspace.locations, mapping=registered)
    await client.hincrby(ledger.keyspace.locations, "\0version", 1)

    assert not await kept._settled(["closed", "1", names])
    some = msgspec.msgpack.decode(await meta(client, ledger, "closed"))
    await kept.settle()

    assert (len(some), await meta(client, ledger, "closed_as_of")) == (500, b"1")
    assert set(msgspec.msgpack.decode(await meta(client, ledger, "closed"))) == set(names)
    notes = [
        [value for name, value in change.notes if name == "closed"]
        async for _, changes in journal.read(client, ledger.keyspace)
        for change in changes
    ]
    assert sorted(map(len, notes)) == [200, 500, 500]
    assert sorted(name for each in notes for name in each) == names


async def test_given_too_many_locations_when_put_then_none_is_kept(
    kept: LocationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.store.repositories.locations.LOCATIONS_MAX", 2)
    await kept.put([Location("a"), Location("b")], "tester")

    with pytest.raises(TooManyLocationsError):
        await kept.put([Location("a", priority=1), Location("c")], "tester")

    assert (await kept.directory()).locations["a"].priority == 0


async def test_given_another_process_when_it_closes_a_location_then_this_one_learns_of_it(
    kept: LocationStore, client: Redis, ledger: Ledger
) -> None:
    now_s = 0.0
    places = KnownLocations(kept, lambda: now_s)
    assert places.known() is None
    first = await places.current()
    await LocationStore(client, Keyspace(ledger.keyspace.partition), RETENTION.packed()).put([STORE], "tester")
    assert places.known() is first
    assert await places.current() is first

    now_s = REFRESH_S + 0.1

    def knows() -> bool:
        directory = places.known()
        return directory is not None and "kadikoy" in directory.closed

    await wait_until(knows)
    await places.close()


async def test_given_nothing_new_when_looked_at_anew_then_the_copy_stays(kept: LocationStore) -> None:
    now_s = 0.0
    places = KnownLocations(kept, lambda: now_s)
    await places.put([STORE], "tester")
    first = await places.current()

    now_s = 10.0

    assert await places.current() is first


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((0, 0), (0, 0), 0.0),
        ((0, 0), (0, 180), math.pi * EARTH_RADIUS_KM),
        ((90, 0), (-90, 77), math.pi * EARTH_RADIUS_KM),
        ((0, 179), (0, -179), math.radians(2) * EARTH_RADIUS_KM),
        ((41.0082, 28.9784), (39.9334, 32.8597), 349.4),
    ],
)
def test_a_distance_is_that_of_the_great_circle(a: tuple[float, float], b: tuple[float, float], km: float) -> None:
    assert distance_km(Position(*a), Position(*b)) == pytest.approx(km, rel=1e-3)


def test_an_empty_directory_knows_nothing() -> None:
    nothing = Directory()

    assert (nothing.closed, nothing.groups, nothing.open_in("x")) == (frozenset(), frozenset(), frozenset())


def test_given_a_file_when_read_then_each_row_is_a_location() -> None:
    parsed = LOCATIONS.read(
        b"Name;kind;lat;lon;priority;footfall;open;groups;notes\n"
        b"kadikoy;Store;40.99;29.03;5;900;no;stores | istanbul;x\n"
        b"main;;;;;;;;\n"
        b"main;;;;;;;;\n"
    )

    assert [row.value for row in parsed.rows] == [STORE, Location("main")]
    assert (parsed.repeated, parsed.bad, parsed.other_columns) == (1, [], ["notes"])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",store,,,,,,", "name is empty"),
        ("a,shed,,,,,,", "kind: invalid enum value 'shed'"),
        ("a,,41,,,,,", "lat and lon must both be given, or neither"),
        ("a,,x,1,,,,", "lat is 'x', not a number of degrees, such as 41.0082"),
        ("a,,nan,1,,,,", "position.lat: expected float >= -90.0"),
        ("a,,91,1,,,,", "position.lat: expected float <= 90.0"),
        ("a,,,,1.5,,,", "priority is '1.5', not a whole number"),
        ("a,,,,,-1,,", "footfall: expected int >= 0"),
        ("a,,,,,,maybe,", "open is 'maybe', not yes or no"),
    ],
)
def test_given_a_bad_row_when_read_then_it_says_what_is_wrong(row: str, reason: str) -> None:
    parsed = LOCATIONS.read(f"name,kind,lat,lon,priority,footfall,open,groups\n{row}\n".encode())

    assert [(bad.line, bad.reason.replace('"', "'")) for bad in parsed.bad] == [(2, reason)]


async def test_given_a_file_when_imported_twice_then_nothing_changes_the_second_time(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("name,kind,open\nkadikoy,store,no\nmain,shed,\n", "utf-8")

    first = holdfast("locations", "import", "l.csv", "--yes", cwd=tmp_path)
    again = holdfast("locations", "import", "l.csv", cwd=tmp_path)

    assert (first.returncode, again.returncode) == (1, 1)
    assert "line 3: kind: invalid enum value 'shed'" in first.stderr + first.stdout
    assert "2 rows: 1 set, 0 unchanged, 1 bad" in first.stdout
    assert "2 rows: 0 set, 1 unchanged, 1 bad" in again.stdout


def test_given_no_name_column_when_read_then_it_is_no_file_of_locations() -> None:
    with pytest.raises(FileError):
        LOCATIONS.read(b"kind,lat\nstore,1\n")
