"""Listings judged by their end, and files divided into requests that can each stand."""

from hypothesis import given
from hypothesis import strategies as st

from server.domain.channels import Listing
from server.domain.listing_keys import cannot_stand, in_requests, key_conflicts

SKUS = [f"S{number}" for number in range(6)]
KEYS = [f"K{number}" for number in range(4)] + SKUS[:3]
LISTINGS = st.builds(Listing, st.sampled_from(SKUS), st.sampled_from(KEYS), st.sampled_from([True, True, True, False]))
FILES = st.lists(LISTINGS, unique_by=(lambda each: each.sku, lambda each: (each.key, "" if each.listed else each.sku)))


def owners_of(state: dict[str, Listing]) -> dict[str, str]:
    """Return who is listed under each key; no key has two."""
    listed = [each for each in state.values() if each.listed]
    owners = {each.key: each.sku for each in listed}
    assert len(owners) == len(listed), state
    return owners


def names_of(state: dict[str, Listing], lists_all: bool) -> set[str]:
    return {sku for sku in SKUS if sku not in state} if lists_all else set()


def holds(state: dict[str, Listing], lists_all: bool) -> None:
    assert not names_of(state, lists_all) & owners_of(state).keys(), state


@given(FILES, FILES, st.booleans(), st.integers(1, 4))
def test_each_request_of_a_file_can_stand_and_their_end_is_the_file_s(
    stored: list[Listing], file: list[Listing], lists_all: bool, size: int
) -> None:
    state: dict[str, Listing] = {each.sku: each for each in stored}
    names = names_of(state, lists_all)
    for taken in names & owners_of(state).keys():  # such a state cannot come about
        state[taken] = Listing(taken, f"own-{taken}")
    names = names_of(state, lists_all)
    owners, before = owners_of(state), dict(state)

    refused = cannot_stand(file, owners, names)
    good = [each for each in file if each.sku not in refused]
    for request in in_requests(good, owners | {name: name for name in names}, state, size):
        assert 0 < len(request) <= size
        assert not key_conflicts(request, owners_of(state), names_of(state, lists_all))
        state |= {each.sku: each for each in request}
        holds(state, lists_all)

    assert state == before | {each.sku: each for each in good}


@given(FILES, FILES)
def test_a_row_is_refused_only_where_the_file_without_it_has_its_key_for_another(
    stored: list[Listing], file: list[Listing]
) -> None:
    state = {each.sku: each for each in stored}

    refused = cannot_stand(file, owners_of(state), ())

    end = owners_of(state | {each.sku: each for each in file if each.sku not in refused})
    for sku, conflict in refused.items():
        assert end[conflict.listing.key] == conflict.other != sku


def test_a_swap_and_an_unlisted_owner_are_no_conflict_and_two_takers_are() -> None:
    owners = {"K1": "RED", "K2": "BLUE"}
    red, blue = Listing("RED", "K2"), Listing("BLUE", "K1")

    assert key_conflicts([red, blue], owners, ()) == []
    assert key_conflicts([red, Listing("BLUE", "K2", listed=False)], owners, ()) == []
    [alone] = key_conflicts([red], owners, ())
    assert (alone.place, alone.other) == (0, "BLUE")
    assert (
        alone.rule_in("request")
        == "BLUE is listed under K2 already; give BLUE another key, or unlist it, in the same request"
    )
    [second] = key_conflicts([red, Listing("NEW", "K2"), blue], owners, ())
    assert (second.place, second.other) == (1, "RED")


def test_a_circle_that_is_too_long_for_one_request_is_opened_by_one_that_is_unlisted_for_a_time() -> None:
    state = {f"S{n}": Listing(f"S{n}", f"K{n}") for n in range(5)}
    turned = [Listing(f"S{n}", f"K{(n + 1) % 5}") for n in range(5)]

    requests = list(in_requests(turned, owners_of(state), state, 2))

    assert requests[0][0] == Listing("S0", "K0", listed=False)
    assert requests[-1][-1] == Listing("S0", "K1")
    assert sum(map(len, requests)) == 6
    assert list(in_requests(turned, owners_of(state), state, 5)) == [list(reversed(turned))]
