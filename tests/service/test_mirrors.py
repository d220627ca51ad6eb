"""Which location a channel may fill, what becomes of it, and that nothing of anybody's own is overwritten."""

import asyncio
from typing import Any, Final

import pytest
from msgspec.structs import replace

from server.domain.channels import ChannelRules, ChannelSettings
from server.domain.locations import Location
from server.domain.mirrors import MirrorSettings
from server.domain.principal import ALL_SCOPES, Principal
from server.schemas.channels import ChannelRulesBody
from server.schemas.locations import LocationBody
from server.service import mirrors
from server.service.caller import Caller, Partition
from server.service.channels import set_rules
from server.service.checks import InvalidError
from server.service.location_renames import delete_location, rename_location
from server.service.locations import find_location, namings, put_location
from server.service.problems import ProblemError
from server.store.repositories.mirrors import read_mirrored
from tests.conftest import now_ms
from tests.support import operations as ops

MARKET: Final = "market"
FILLER: Final = f"channel:{MARKET}"
HALL: Final = MirrorSettings(location="market-hall")
FOR_ALL: Final = replace(HALL, reserve_for_others=True)


def channel(name: str = MARKET, mirror: MirrorSettings | None = HALL, **rules: Any) -> ChannelSettings:
    return ChannelSettings(name=name, kind="plain", rules=ChannelRules(**rules), mirror=mirror)


def partition_of(caller: Caller, *channels: ChannelSettings) -> Partition:
    return replace(caller.partition, channels={each.name: each for each in channels})


def acting(caller: Caller, *channels: ChannelSettings, name: str = MARKET) -> Caller:
    """Return the channel as it acts for itself, in a partition with these channels."""
    parts = partition_of(caller, *(channels or (channel(),)))
    return Caller(Principal(f"channel:{name}", caller.principal.partition, ALL_SCOPES), parts)


async def mirrored(caller: Caller) -> dict[str, str]:
    return await read_mirrored(caller.partition.client, caller.partition.keyspace)


async def location(caller: Caller, name: str = HALL.location) -> Location | None:
    return await find_location(caller, name)


async def test_a_new_name_is_taken_and_closed_and_taking_it_again_changes_nothing(caller: Caller) -> None:
    for _ in range(2):
        assert await mirrors.claim_for(acting(caller), MARKET, HALL) == ""

        assert await mirrored(caller) == {HALL.location: FILLER}
        assert await location(caller) == Location(HALL.location, open=False, filled_by=FILLER)


async def test_its_groups_are_those_of_the_configuration(caller: Caller) -> None:
    for groups in (("online", "far", "far"), ("online",), ()):
        assert await mirrors.claim_for(acting(caller), MARKET, replace(HALL, groups=groups)) == ""

        known = await location(caller)
        assert known is not None
        assert known.groups == tuple(sorted(set(groups)))


async def test_a_location_of_our_own_is_never_taken(caller: Caller) -> None:
    await ops.moved(caller.ledger, ops.receive("A", 5, "izmir"))
    await put_location(caller, "ankara", LocationBody())

    for name in ("izmir", "ankara"):
        reason = await mirrors.claim_for(acting(caller), MARKET, MirrorSettings(location=name))
        assert "a location of your own" in reason

    assert await mirrored(caller) == {}
    known = await location(caller, "ankara")
    assert known is not None
    assert known.open


async def test_a_location_that_another_channel_fills_is_not_taken(caller: Caller) -> None:
    assert await mirrors.claim_for(acting(caller), MARKET, HALL) == ""

    other = acting(caller, channel(), channel("other"), name="other")
    assert "is filled by channel:market" in await mirrors.claim_for(other, "other", HALL)

    assert await mirrored(caller) == {HALL.location: FILLER}


async def test_two_that_take_a_location_at_the_same_moment_both_have_theirs(caller: Caller) -> None:
    shop = MirrorSettings(location="shop")
    channels = channel(), channel("other", shop)
    market, other = (acting(caller, *channels, name=each.name) for each in channels)

    taken = await asyncio.gather(mirrors.claim_for(market, MARKET, HALL), mirrors.claim_for(other, "other", shop))

    assert list(taken) == ["", ""]
    assert await mirrored(caller) == {HALL.location: FILLER, "shop": "channel:other"}


async def test_two_that_want_the_same_location_at_the_same_moment_do_not_both_have_it(caller: Caller) -> None:
    channels = channel(), channel("other")
    both = [acting(caller, *channels, name=each.name) for each in channels]

    taken = await asyncio.gather(*(mirrors.claim(each, HALL.location, is_open=False) for each in both))

    [holder] = (await mirrored(caller)).values()
    assert sorted(taken) == ["", f"{HALL.location} is filled by {holder}; give this one another location"]


async def test_what_is_let_go_of_while_another_takes_its_own_leaves_that_alone(caller: Caller) -> None:
    shop = MirrorSettings(location="shop")
    assert await mirrors.claim_for(acting(caller), MARKET, HALL) == ""
    other = acting(caller, channel("other", shop), name="other")

    await asyncio.gather(mirrors.release(other.partition), mirrors.claim_for(other, "other", shop))

    assert await mirrored(caller) == {"shop": "channel:other"}


async def test_a_name_that_is_like_a_known_one_is_told(caller: Caller) -> None:
    await put_location(caller, "Market-Hall", LocationBody())

    reason = await mirrors.claim_for(acting(caller), MARKET, HALL)

    assert reason == "market-hall is like the location Market-Hall; give it another name"


async def test_units_for_others_are_open_only_where_the_channel_itself_cannot_show_them(caller: Caller) -> None:
    unlimited = acting(caller, channel(mirror=FOR_ALL))
    assert "without market-hall" in await mirrors.claim_for(unlimited, MARKET, FOR_ALL)
    closed = await location(caller)
    assert closed is not None
    assert not closed.open

    limited = acting(caller, channel(mirror=FOR_ALL, locations=["main"]))
    assert await mirrors.claim_for(limited, MARKET, FOR_ALL) == ""
    opened = await location(caller)
    assert opened is not None
    assert opened.open

    assert await mirrors.claim_for(acting(caller), MARKET, HALL) == ""
    again = await location(caller)
    assert again is not None
    assert not again.open


async def test_what_is_not_configured_any_more_is_let_go_and_stays_closed_and_can_be_taken_again(
    caller: Caller,
) -> None:
    await mirrors.claim_for(acting(caller), MARKET, HALL)
    await mirrors.count(acting(caller), HALL, {"A": 5}, await now_ms(caller.partition.client))

    await mirrors.release(partition_of(caller, channel(mirror=None)))

    assert await mirrored(caller) == {}
    closed = await location(caller)
    assert closed is not None
    assert not closed.open
    assert await mirrors.claim_for(acting(caller), MARKET, HALL) == ""
    assert await mirrored(caller) == {HALL.location: FILLER}


async def test_what_was_open_is_closed_when_it_is_let_go(caller: Caller) -> None:
    await mirrors.claim(acting(caller), HALL.location, is_open=True)

    await mirrors.release(partition_of(caller))

    closed = await location(caller)
    assert closed is not None
    assert not closed.open


async def test_what_is_configured_is_not_let_go(caller: Caller) -> None:
    await mirrors.claim_for(acting(caller), MARKET, HALL)

    await mirrors.release(partition_of(caller, channel()))

    assert await mirrored(caller) == {HALL.location: FILLER}


async def test_a_person_who_describes_a_location_that_was_let_go_has_it_for_good(caller: Caller) -> None:
    await mirrors.claim_for(acting(caller), MARKET, HALL)
    await mirrors.release(partition_of(caller))

    await put_location(caller, HALL.location, LocationBody())

    assert "a location of your own" in await mirrors.claim_for(acting(caller), MARKET, HALL)


async def test_counts_are_made_by_the_channel_and_refusals_are_told(caller: Caller) -> None:
    await mirrors.claim_for(acting(caller), MARKET, HALL)
    await ops.moved(caller.ledger, ops.receive("TS-1", 1))

    refused = await mirrors.count(acting(caller), HALL, {"A": 5, "ts–1": 2}, await now_ms(caller.partition.client))

    assert refused == {"ts–1": "similar_name"}
    assert (await ops.level(caller.ledger, "A", HALL.location)).on_hand == 5
    assert await mirrors.skus_there(caller, HALL) == {"A"}


async def test_names_are_found_by_themselves_or_by_the_only_one_that_is_like_them(caller: Caller) -> None:
    for sku in ("ts-1", "b", "B"):
        await ops.moved(caller.ledger, ops.meant(ops.receive(sku, 1)))

    found = await mirrors.named_so(caller, {"TS-1", "b", "B", "nobody"})

    assert found == {"TS-1": "ts-1", "b": "b", "B": "B"}


async def test_a_location_that_a_channel_fills_is_not_described_renamed_or_deleted(caller: Caller) -> None:
    await mirrors.claim_for(acting(caller), MARKET, HALL)

    for refused in (
        put_location(caller, HALL.location, LocationBody()),
        rename_location(caller, HALL.location, "elsewhere"),
        delete_location(caller, HALL.location),
    ):
        with pytest.raises(ProblemError) as caught:
            await refused
        assert caught.value.problem.outcome == "location_mirrored"
        assert "is filled by channel:market" in caught.value.problem.detail

    known = await location(caller)
    assert known is not None
    assert [each.filled_by for each in await namings(caller, [known])] == [FILLER]
    assert not known.open


async def test_rules_by_which_the_channel_would_show_its_own_units_are_refused(caller: Caller) -> None:
    admin = replace(caller, partition=partition_of(caller, channel(mirror=FOR_ALL, locations=["main"])))

    for locations in ([], ["main", HALL.location]):
        with pytest.raises(InvalidError, match=HALL.location) as caught:
            await set_rules(admin, MARKET, ChannelRulesBody(locations=locations))
        assert caught.value.field == "locations"

    assert (await set_rules(admin, MARKET, ChannelRulesBody(buffer=1))).rules.locations == ["main"]
