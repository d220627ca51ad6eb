"""Locations that were never registered: an index finds them, but one that was renamed may be news to it."""

from server.service.caller import Caller
from server.service.location_renames import rename_location
from server.service.locations import namings, unregistered
from tests.support import operations as ops


async def test_given_an_index_that_lags_when_a_location_was_renamed_then_it_is_there_with_its_old_name(
    finder: Caller,
) -> None:
    await ops.moved(finder.ledger, ops.receive("A", 1, "shop"))
    await rename_location(finder, "shop", "corner")

    found = await unregistered(finder)

    assert [each.name for each in found] == ["corner"]
    assert [each.former_names for each in await namings(finder, found)] == [["shop"]]
