"""The index for finding on each database: rows written in any order add up, and searches go through all of them."""

import random
from collections import Counter
from functools import partial
from typing import Any

import pytest

from server.store.documents import finding_search as search
from server.store.documents import found, found_state, whole
from server.store.documents.database import Database, Session
from server.store.documents.documents import Documents
from server.store.documents.finding_search import LOOKED_AT_MAX, Along, ReservationFilter, SkuFilter
from server.store.documents.found import FoundHolder, FoundListing, FoundPlace, FoundReservation
from tests.support.order_documents import booking, order

P = "shop"
ALL = SkuFilter()


async def run(documents: Documents, work: Any, *values: Any, **named: Any) -> Any:
    """Do one transaction's work in a partition."""
    return await documents.follow(lambda session: work(session, P, *values, **named))


async def all_of(documents: Documents, along: Along, wanted: SkuFilter = ALL, limit: int = 7) -> list[str]:
    """Read all pages."""
    names, after = list[str](), None
    while True:
        page = await run(documents, search.look, along, wanted, after, limit=limit)
        names += [each.sku for each in page.found]
        after = page.following
        if after is None:
            return names


async def sums(database: Database) -> dict[str, tuple[int, int, int]]:
    async def read(session: Session) -> Any:
        return await session.fetch("SELECT sku, available, held, short FROM found_skus WHERE partition = ?", P)

    return {row[0]: tuple(row[1:]) for row in await database.run(read, reads=True)}


async def test_given_places_that_change_at_random_when_written_then_what_skus_have_in_all_adds_up(
    documents: Documents, database: Database
) -> None:
    chance, known, seq = random.Random(11), dict[tuple[str, str], FoundPlace](), 0
    for _ in range(60):
        some, gone = dict[tuple[str, str], FoundPlace](), set[tuple[str, str]]()
        for _ in range(chance.randrange(1, 9)):
            seq += 1
            where = chance.choice(["main", "izmir", "depo"]), f"S{chance.randrange(9)}"
            some[where] = FoundPlace(*where, chance.randrange(-3, 9), chance.randrange(3), chance.randrange(2), seq)
        for where in chance.sample(sorted(known), min(len(known), chance.randrange(3))):
            if where not in some:
                gone.add(where)
        await run(documents, found.put_places, list(some.values()), gone, changed_ms=seq)
        if chance.random() < 0.3:  # an older reading comes late
            late = [each._replace(available=99, seq=each.seq - 1) for each in some.values()]
            await run(documents, found.put_places, late)
        known = {where: each for where, each in (known | some).items() if where not in gone}
        expected = {
            sku: tuple(sum(int(each[n]) for (_, of), each in known.items() if of == sku) for n in (2, 3, 4))
            for sku in {sku for _, sku in known}
        }
        assert await sums(database) == expected
    assert await all_of(documents, search.BY_SKU) == sorted({sku for _, sku in known})


async def test_what_is_read_anew_counts_although_its_seq_is_smaller(documents: Documents, database: Database) -> None:
    await run(documents, found.put_places, [FoundPlace("main", "A", 9, 0, 0, 50)])
    await run(documents, found.put_places, [FoundPlace("main", "A", 1, 0, 0, 20)])
    assert await sums(database) == {"A": (9, 0, 0)}
    await run(documents, found_state.put_unfilled)
    await run(documents, found.put_places, [FoundPlace("main", "A", 1, 0, 0, 20)])
    assert await sums(database) == {"A": (1, 0, 0)}


async def fill(documents: Documents) -> None:
    places = [
        FoundPlace("main" if n % 2 else "izmir", f"TS-{n:04}-SİYAH", n % 5 - 1, n % 3 == 0, n % 7 == 0, n + 1)
        for n in range(1, 60)
    ]
    await run(documents, found.put_places, places, changed_ms=5)
    await run(documents, found.put_places, [FoundPlace("depo", "ÇANTA/38", 4, 0, 0, 99)], changed_ms=9)
    await run(documents, found.put_untracked, ["SERVICE"])


async def test_every_way_to_look_finds_each_sku_once_whatever_the_page(documents: Documents) -> None:
    await fill(documents)
    numbers = range(1, 60)

    def names(those: Any) -> list[str]:
        return [f"TS-{n:04}-SİYAH" for n in those]

    assert await all_of(documents, search.BY_SKU) == ["SERVICE", *names(numbers), "ÇANTA/38"]
    assert await all_of(documents, search.along_words("siyah")) == names(numbers)
    assert await all_of(documents, search.along_words("0012s")) == names([12])
    assert await all_of(documents, search.along_words("ts"), SkuFilter(words=("ts", "0012"))) == names([12])
    assert await all_of(documents, search.along_words("canta38")) == ["ÇANTA/38"]
    assert await all_of(documents, search.along_prefix("TS-005")) == names(range(50, 60))
    assert await all_of(documents, search.along_state("held")) == names(n for n in numbers if n % 3 == 0)
    assert await all_of(documents, search.along_state("short")) == names(n for n in numbers if n % 7 == 0)
    assert Counter(await all_of(documents, search.along_state("out"))) == Counter(
        names(n for n in numbers if n % 5 < 2)
    )
    assert await all_of(documents, search.along_state("untracked")) == ["SERVICE"]
    main = [n for n in numbers if n % 2]
    assert await all_of(documents, search.along_location("main")) == names(main)
    assert await all_of(documents, search.along_state("out", ("main",))) == names(n for n in main if n % 5 < 2)
    assert await all_of(documents, search.BY_SKU, SkuFilter(locations=("main", "x"))) == names(main)
    assert Counter(await all_of(documents, search.along_few(2))) == Counter(names(n for n in numbers if 2 <= n % 5 < 4))
    assert await all_of(documents, search.along_few(0)) == []
    assert (await all_of(documents, search.along_sums("changed_ms", is_down=True)))[0] == "ÇANTA/38"
    assert len(await all_of(documents, search.along_sums("available", is_down=True))) == 61


async def test_where_few_of_many_match_pages_are_small_and_go_on(documents: Documents) -> None:
    places = [FoundPlace("main", f"S{n:05}", 1, 0, 0, n + 1) for n in range(LOOKED_AT_MAX + 40)]
    await run(documents, found.put_places, places)
    wanted = SkuFilter(prefix=f"S{LOOKED_AT_MAX + 30:05}")
    page = await run(documents, search.look, search.BY_SKU, wanted, None, limit=5)
    assert (page.found, page.following) == ([], (f"S{LOOKED_AT_MAX - 1:05}",))
    assert await all_of(documents, search.BY_SKU, wanted) == [wanted.prefix]


async def test_where_many_are_sold_out_the_first_page_of_those_that_are_low_has_some(documents: Documents) -> None:
    places = [FoundPlace("main", f"S{n:05}", 0, 0, 0, n + 1) for n in range(LOOKED_AT_MAX + 40)]
    await run(documents, found.put_places, [*places, FoundPlace("main", "LOW", 3, 0, 0, 1)])

    page = await run(documents, search.look, search.along_few(5), SkuFilter(state="low"), None, limit=5)

    assert [each.sku for each in page.found] == ["LOW"]
    assert page.following is None


async def test_where_much_else_changes_what_was_sold_out_last_still_comes_first(documents: Documents) -> None:
    for changed_ms, name in enumerate(("OUT-1", "OUT-2", "OUT-3"), 1):
        await run(documents, found.put_places, [FoundPlace("main", name, 0, 0, 0, 1)], changed_ms=changed_ms)
    await run(documents, found.put_untracked, ["SERVICE"])
    sold = [FoundPlace("main", f"S{n:05}", 5, 0, 0, 1) for n in range(LOOKED_AT_MAX + 40)]
    await run(documents, found.put_places, sold, changed_ms=9)

    page = await run(documents, search.look, search.NEWEST_OUT, SkuFilter(state="out"), None, limit=2)

    assert [each.sku for each in page.found] == ["OUT-3", "OUT-2"]
    assert await all_of(documents, search.NEWEST_OUT, SkuFilter(state="out"), limit=2) == ["OUT-3", "OUT-2", "OUT-1"]


async def test_a_page_of_a_state_looks_at_no_more_than_it_may_need(documents: Documents) -> None:
    places = [FoundPlace("main", f"S{n:05}", n % 2, 0, 0, 1) for n in range(60)]
    await run(documents, found.put_places, places)
    looked_at: list[int] = []

    async def look(along: Along, state: str, session: Session) -> None:
        class Counting:
            async def fetch(self, statement: str, *values: Any) -> list[Any]:
                rows = await session.fetch(statement, *values)
                looked_at.append(len(rows))
                return rows

        await search.look(Counting(), P, along, SkuFilter(state=state), None, limit=5)  # type: ignore[arg-type]

    for along, state in ((search.NEWEST_OUT, "out"), (search.along_state("out"), "out"), (search.along_few(5), "low")):
        await documents.look(partial(look, along, state))

    assert looked_at == [11, 11, 11]


async def test_a_sku_of_which_nothing_lies_anywhere_is_found_no_more(documents: Documents) -> None:
    await fill(documents)
    await run(documents, found.put_places, [], [("depo", "ÇANTA/38")])
    await run(documents, found.drop_untracked, ["SERVICE"])
    assert await all_of(documents, search.along_words("canta")) == []
    assert await all_of(documents, search.along_words("service")) == []


async def test_listings_are_found_by_key_and_channel_until_they_change(documents: Documents) -> None:
    await fill(documents)
    sku, other = "TS-0001-SİYAH", "TS-0002-SİYAH"
    rows = [
        FoundListing(sku, "86-90", sku),
        FoundListing(sku, "SET-1", "\0SET-1"),
        FoundListing(other, "SET-1", "\0SET-1"),
    ]
    await run(documents, found.put_listings, "web", rows, [sku, "\0SET-1"])
    assert await run(documents, search.with_key, "set1", ["web", "other"]) == [sku, other]
    assert await all_of(documents, search.along_channel("web"), SkuFilter(channel="web")) == [sku, other]
    keys = await run(documents, search.listings_with_key, "web", "8", None, limit=9)
    assert keys == [("8690", "86-90", sku)]
    assert {row[2] for row in await run(documents, search.listings_with_key, "web", "set", None, limit=9)} == {
        "\0SET-1"
    }
    await run(documents, found.put_listings, "web", [], ["\0SET-1"])
    assert await run(documents, search.with_key, "set1", ["web"]) == []
    assert await run(documents, search.with_tails, ["ts0001siyah", "nothing"], 9) == [sku]


async def test_reservations_are_found_by_order_customer_and_time_in_both_orders(documents: Documents) -> None:
    rows = [FoundReservation(f"r{n}", 1_000 + n // 2, "web", f"o{n % 3}", f"c{n % 2}") for n in range(12)]
    await run(documents, found.put_reservations, rows)

    async def ids(wanted: ReservationFilter) -> list[str]:
        found_ids, after = list[str](), None
        while page := await run(documents, search.reservations, wanted, after, 2):
            found_ids += [name for _, name in page]
            after = page[-1]
        return found_ids

    newest = sorted(range(12), key=lambda n: (n // 2, f"r{n}"), reverse=True)
    assert await ids(ReservationFilter()) == [f"r{n}" for n in newest]
    assert await ids(ReservationFilter(is_oldest_first=True)) == [f"r{n}" for n in reversed(newest)]
    assert await ids(ReservationFilter(order_ref="o1")) == [f"r{n}" for n in newest if n % 3 == 1]
    assert await ids(ReservationFilter(customer="c1", from_ms=1_001, to_ms=1_004)) == [
        f"r{n}" for n in newest if n % 2 and 1_001 <= 1_000 + n // 2 < 1_004
    ]
    await run(documents, found.put_reservations, [rows[0]._replace(order_ref="")])
    assert await ids(ReservationFilter(order_ref="o0")) == [f"r{n}" for n in newest if n % 3 == 0]
    await run(documents, found.drop_reservations, ["r3", "r0"])
    assert await ids(ReservationFilter(order_ref="o0")) == [f"r{n}" for n in newest if n % 3 == 0 and n not in (0, 3)]


async def test_an_erased_order_is_found_by_its_customer_no_more_and_never_again(documents: Documents) -> None:
    row = FoundReservation("r1", 1_000, "trendyol", "1001", "c")
    other = FoundReservation("r2", 1_000, "trendyol", "1002", "c")
    await documents.put_order(P, "trendyol", order(), booking())
    await run(documents, found.put_reservations, [row, other])
    wanted = ReservationFilter(customer="c")
    assert await run(documents, search.reservations, wanted, None, 9) == [(1_000, "r2"), (1_000, "r1")]
    await documents.erase(P, "trendyol", "1001", "tester")
    assert await run(documents, search.reservations, wanted, None, 9) == [(1_000, "r2")]
    await run(documents, found.put_reservations, [row])
    assert await run(documents, search.reservations, wanted, None, 9) == [(1_000, "r2")]


async def test_names_that_no_database_could_keep_do_no_harm(documents: Documents) -> None:
    odd = ["a\0b", "\ud800", "a\ufffdb", "Ω'; DROP TABLE found_skus; --"]
    await run(documents, found.put_places, [FoundPlace("m\0", sku, 1, 0, 0, 1) for sku in odd])
    await run(documents, found.put_untracked, odd)
    await run(documents, found.put_reservations, [FoundReservation(each, 1, each, each, "c") for each in odd])
    await run(documents, found_state.put_moved, odd)
    assert len(await all_of(documents, search.BY_SKU)) == 3
    assert await all_of(documents, search.along_prefix("a\0")) == ["a\ufffdb"]


@pytest.mark.parametrize("is_filled", [True, False])
async def test_how_far_the_index_is_is_kept(documents: Documents, is_filled: bool) -> None:
    await run(documents, found_state.put_seq, 7)
    await (run(documents, found_state.put_filled, 0, 0) if is_filled else run(documents, found_state.put_unfilled))
    await run(documents, found_state.put_seq, 5)
    state = await run(documents, found_state.progress)
    assert state == (is_filled, 7 if is_filled else 5, "")
    assert await documents.look(found_state.filled) == ({P} if is_filled else set())


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_was_read_once_does_not_count_where_a_part_of_the_journal_was_missed_meanwhile(
    documents: Documents, is_known: bool
) -> None:
    if is_known:
        await run(documents, found_state.put_seq, 7)
    began = await run(documents, found_state.epoch)
    await run(documents, found_state.put_unfilled)
    await run(documents, found_state.put_filled, 9, began)
    assert not (await run(documents, found_state.progress)).is_filled
    await run(documents, found_state.put_filled, 9, await run(documents, found_state.epoch))
    assert (await run(documents, found_state.progress))[:2] == (True, 9)


async def test_what_came_again_while_the_store_was_asked_for_it_is_not_gone(documents: Documents) -> None:
    await run(documents, found.put_places, [FoundPlace("main", "A", 0, 0, 0, 5)])
    known = await run(documents, found_state.places_after, ("", ""), 9)
    await run(documents, found.put_places, [FoundPlace("main", "A", 3, 0, 0, 9)])
    await run(documents, found.put_places, [], [("main", "A")], known=known)
    assert await all_of(documents, search.BY_SKU) == ["A"]
    known = await run(documents, found_state.skus_at, "main", "", 9)
    await run(documents, found.put_places, [], [("main", "A")], known=known)
    assert await all_of(documents, search.BY_SKU) == []


async def test_given_holders_when_written_then_known_ones_are_found_by_sku_and_location_until_they_are_gone(
    documents: Documents,
) -> None:
    names = [f"r{n}" for n in range(250)]
    await run(documents, found.put_reservations, [FoundReservation(name, 1, "web", "", "") for name in names])
    rows = [FoundHolder(f"S{n % 2}", f"l{n % 5}", name) for n, name in enumerate(names)]
    unknown = FoundHolder("S0", "l0", "unknown")
    for _ in range(2):  # a filling that begins anew writes it again
        await run(documents, found.put_holders, [*rows, unknown])
    await run(documents, found.put_holders, [])

    assert set(await run(documents, search.holders, "S0", "", 1_000)) == set(names[::2])
    assert set(await run(documents, search.holders, "S1", "l3", 1_000)) == set(names[3::10])
    assert len(await run(documents, search.holders, "S0", "", 7)) == 7
    assert await run(documents, search.holders, "S0", "l9", 1_000) == []

    await run(documents, found.drop_reservations, names[:200])
    assert set(await run(documents, search.holders, "S0", "", 1_000)) == set(names[200::2])
    while await run(documents, whole.erase_some):
        pass
    assert await run(documents, search.holders, "S0", "", 1_000) == []
