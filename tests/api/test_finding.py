"""Find SKUs, listings and reservations over HTTP: what is found is what the store has now."""

from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any, Final

import pytest

from server.domain.finding import customer_name
from tests.api.test_channel_numbers import KEYS, TWO
from tests.conftest import wait_until
from tests.support.http import STOCKER, Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

SKUS: Final = ("TS-1001-SİYAH-M", "TS-1001-BEYAZ-M", "ÇANTA-38", "Tavă 28 cm")


async def found(api: Api, query: str, name: str = "skus", key: str = "sku") -> list[str]:
    """Read all pages of a list."""
    names, after = list[str](), ""
    while True:
        page = (await api.get(f"/v1/{name}?{query}&after={after}")).ok()
        names += [each[key] for each in page[name.rpartition("/")[2]]]
        after = page["next"]
        if not after:
            return names


async def followed(api: Api) -> None:
    """Wait until the index has all that the journal has now, and all that was there before."""
    seq = max((each["seq"] for each in (await api.get("/v1/snapshot")).ok()["availability"]), default=0)

    async def is_so() -> bool:
        index = (await api.get("/v1/skus?limit=1")).ok()["index"]
        return bool(index["complete"] and index["seq"] >= seq)

    await wait_until(is_so, "the index has all", every_s=0.05)


async def stocked(api: Api) -> None:
    for number, sku in enumerate(SKUS):
        await api.count(sku, number * 4)
    (await api.reserve(SKUS[1], 1)).ok(201)
    await api.count("ÇANTA-38", 2, "izmir")
    (await api.put("/v1/skus/MONTAJ", {"tracked": False})).ok()
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000029", "sku": "Tavă 28 cm"}]})).ok()
    await followed(api)


async def test_given_stock_when_searched_then_each_spelling_finds_it_with_what_it_has_now(counted_api: Api) -> None:
    await stocked(counted_api)
    for typed in ("ts%201001%20siyah", "TS1001SIYAH", "siyah", "1001-s%C4%B1yah", "ts%20siyah", "TS-1001-S%C4%B0YAH-M"):
        assert await found(counted_api, f"q={typed}") == [SKUS[0]], typed
    assert await found(counted_api, "q=canta") == ["ÇANTA-38"]
    assert await found(counted_api, "q=8690000000029") == ["Tavă 28 cm"]
    assert await found(counted_api, "q=TS-1001-SIYHA-M") == [SKUS[0]], "two letters are swapped"
    assert set(await found(counted_api, "q=ts1001")) == set(SKUS[:2])
    assert await found(counted_api, "q=nothing-like-it") == []
    [one] = (await counted_api.get("/v1/skus?q=beyaz")).ok()["skus"]
    assert (one["on_hand"], one["held"], one["available"], one["states"]) == (4, 1, 3, ["held"])
    (await counted_api.reserve(SKUS[1], 2)).ok(201)
    [one] = (await counted_api.get("/v1/skus?q=beyaz")).ok()["skus"]
    assert (one["held"], one["available"]) == (3, 1), "numbers are of now, however old the index is"


async def test_given_a_sku_that_was_renamed_when_its_old_name_is_searched_then_it_comes(counted_api: Api) -> None:
    await stocked(counted_api)
    (await counted_api.post("/v1/skus/%C3%87ANTA-38/rename", {"to": "BAG 38"})).ok()

    async def has_moved() -> bool:
        return await found(counted_api, "q=bag") == ["BAG 38"]

    await wait_until(has_moved, "the index has the new name")
    assert await found(counted_api, "q=%C3%87ANTA-38&limit=1") == ["BAG 38"]
    assert await found(counted_api, "q=%20%C3%87ANTA-38%20&location=izmir") == ["BAG 38"]
    assert await found(counted_api, "q=%C3%87ANTA-38&state=out") == []


async def test_given_states_places_and_orders_when_listed_then_those_come(counted_api: Api) -> None:
    await stocked(counted_api)
    assert set(await found(counted_api, "limit=2")) == {*SKUS, "MONTAJ"}
    assert await found(counted_api, "state=out") == [SKUS[0]]
    assert await found(counted_api, "state=out&sort=-changed") == [SKUS[0]]
    assert await found(counted_api, "state=held") == [SKUS[1]]
    assert await found(counted_api, "state=untracked") == ["MONTAJ"]
    assert await found(counted_api, "location=izmir") == ["ÇANTA-38"]
    [there] = (await counted_api.get("/v1/skus?location=izmir")).ok()["skus"]
    assert (there["on_hand"], there["locations"]) == (2, 1)
    assert await found(counted_api, "prefix=TS-1001&limit=1") == sorted(SKUS[:2])
    assert (await found(counted_api, "sort=-available"))[:2] == ["Tavă 28 cm", "ÇANTA-38"]
    assert (await found(counted_api, "sort=available"))[-1] == "Tavă 28 cm"
    assert (await found(counted_api, "sort=-changed"))[0] == "ÇANTA-38"
    rules = {"rules": [{"reorder_point": 11}, {"sku": "Tavă 28 cm", "reorder_point": 20}]}
    (await counted_api.put("/v1/replenishment/rules", rules)).ok()
    assert set(await found(counted_api, "state=low")) == {SKUS[1], "ÇANTA-38", "Tavă 28 cm"}
    assert (await counted_api.get("/v1/skus?state=low")).ok()["low_up_to"] == 20
    assert "low_up_to" not in (await counted_api.get("/v1/skus?state=out")).ok()
    (await counted_api.put("/v1/locations/izmir", {"open": False})).ok()
    await counted_api.count(SKUS[0], 3, "izmir")
    await followed(counted_api)
    assert SKUS[0] in await found(counted_api, "state=out"), "what lies at a closed location is not available"


async def test_given_orders_that_lack_units_when_asked_for_then_their_skus_come(counted_api: Api) -> None:
    await counted_api.count("A", 1)
    lines = [{"sku": "A", "quantity": 3, "location": "main"}]
    (await counted_api.post("/v1/orders", {"channel": "web", "lines": lines, "on_shortage": "accept"})).ok(201)
    await followed(counted_api)
    assert await found(counted_api, "state=short") == ["A"]
    assert await found(counted_api, "state=short&location=main") == ["A"]
    assert await found(counted_api, "state=short&location=izmir") == []


@pytest.mark.parametrize(
    "query",
    [
        "q=--", "q=", "state=gone", "sort=name", "limit=0", "limit=201", "q=a&sort=available", "state=low&sort=sku",
        "after=x", "after=WzFd", "after=WyJhIiwiYiJd", "sort=available&after=WyJhIiwiYiJd", "colour=red",
        "show=prices", "show=channels&limit=51",
    ],
)  # fmt: skip
async def test_a_query_that_cannot_be_meant_is_refused(api: Api, query: str) -> None:
    (await api.get(f"/v1/skus?{query}")).problem(400, "invalid")


async def test_given_an_unknown_channel_when_its_skus_are_asked_for_then_that_is_said(api: Api) -> None:
    (await api.get("/v1/skus?channel=nobody")).problem(404, "unknown_channel")


# -- reservations


async def test_given_orders_when_looked_for_by_number_customer_and_time_then_they_come(counted_api: Api) -> None:
    await counted_api.count("A", 50)
    for number in range(5):
        refs = {"order_ref": f"N-{number % 2}", "customer_ref": f"customer-{number % 3}"}
        (await counted_api.reserve("A", 1, f"r{number}", **refs)).ok(201)
    (await counted_api.reserve("A", 1, "late")).ok(201)
    (await counted_api.post("/v1/reservations/late/commit", {"order_ref": "N-9"})).ok()
    await followed(counted_api)

    async def ids(query: str) -> list[str]:
        return await found(counted_api, query, "reservations", "reservation_id")

    async def is_found() -> bool:
        return await ids("order_ref=N-9") == ["late"]

    await wait_until(is_found, "the order is found by the number that it got last")
    assert await ids("order_ref=N-1") == ["r3", "r1"]
    assert await ids("order_ref=N-1&sort=created") == ["r1", "r3"]
    assert await ids("customer_ref=customer-1&limit=1") == ["r4", "r1"]
    assert await ids("order_ref=N-0&customer_ref=customer-1") == ["r4"]
    assert await ids("order_ref=nobody") == []
    assert await ids("from=2020-01-01T00:00:00Z&limit=4") == ["late", "r4", "r3", "r2", "r1", "r0"]
    assert await ids("to=2020-01-01T00:00:00Z") == []
    assert await ids("sort=created&state=committed") == ["late"]
    assert await ids("sort=created&channel=nobody") == []
    assert await ids("sort=created&sku=A&limit=2") == ["r0", "r1", "r2", "r3", "r4", "late"]
    page = (await counted_api.get("/v1/reservations?order_ref=N-1")).ok()
    assert page["index"]["complete"]
    assert page["reservations"][0]["customer_ref"] == "customer-0"
    assert "index" not in (await counted_api.get("/v1/reservations")).ok()


@pytest.mark.parametrize(
    "query", ["from=2026-11-29T20:00:00", "sort=id", "order_ref=", "order_ref=a&after=x", "to=now"]
)
async def test_a_query_of_reservations_that_cannot_be_meant_is_refused(api: Api, query: str) -> None:
    (await api.get(f"/v1/reservations?{query}")).problem(400, "invalid")


async def test_given_an_erased_order_when_its_customer_is_looked_for_then_it_is_found_no_more(
    counted_api: Api, counting_server: Server
) -> None:
    await counted_api.count("A", 9)
    body = {"channel": "web", "order_ref": "E-1", "customer_ref": "Zülfikar", "lines": [{"sku": "A", "quantity": 1}]}
    (await counted_api.post("/v1/orders", body)).ok(201)
    await followed(counted_api)

    async def is_found() -> bool:
        return bool((await counted_api.get("/v1/reservations?customer_ref=Z%C3%BClfikar")).ok()["reservations"])

    await wait_until(is_found, "the customer is found")
    (await counted_api.post("/v1/orders/web/E-1/erase", {})).ok()
    assert not await is_found()
    assert len((await counted_api.get("/v1/reservations?order_ref=E-1")).ok()["reservations"]) == 1
    documents = b"".join(each.read_bytes() for each in counting_server.data_dir.glob("documents.sqlite3*"))
    assert "Zülfikar".encode() not in documents
    assert customer_name(b"", "Zülfikar").encode() not in documents


async def test_given_two_partitions_when_searched_then_each_finds_its_own(
    counted_api: Api, counting_server: Server
) -> None:
    await counted_api.count("ONLY-HERE", 1)
    await followed(counted_api)
    assert await found(counted_api, "q=only%20here") == ["ONLY-HERE"]
    async with opened(counting_server, Key("c0", "c0")) as other:
        assert await found(other, "q=only%20here") == []


async def test_a_key_that_may_not_read_finds_nothing(server: Server) -> None:
    async with opened(server, STOCKER) as stocker:
        (await stocker.get("/v1/skus?q=only")).problem(403, "forbidden")
        (await stocker.get("/v1/reservations?customer_ref=a")).problem(403, "forbidden")


async def test_given_no_documents_database_when_searched_then_it_is_said_and_stock_is_served(
    start_server: Callable[..., Server], tmp_path: Any
) -> None:
    del tmp_path
    keeper = start_server()
    store_url = f"unix://{keeper.data_dir / 'store.sock'}"
    async with opened(start_server(store_url=store_url, role="api")) as api:
        (await api.get("/v1/skus?q=a")).problem(409, "documents_missing")
        (await api.get("/v1/reservations?order_ref=a")).problem(409, "documents_missing")
        await api.count("A", 1)


async def test_given_a_key_of_one_channel_when_it_pages_then_no_cursor_names_what_is_of_another(
    start_server: Callable[..., Server],
) -> None:
    owner = Key("owner", "p")
    server = start_server(keys=[owner], figures_interval_s=0.05)
    async with opened(server, owner) as api:
        await api.count("A", 1_000)
        line = {"sku": "A", "quantity": 1}
        (await api.post("/v1/reservations", {"reservation_id": "mine", "channel": "shop", "lines": [line]})).ok(201)
        others = [{"reservation_id": f"SECRET-{n}", "channel": "other", "lines": [line]} for n in range(250)]
        (await api.post("/v1/reservations/batch", {"reservations": others})).ok()
        made = (await api.post("/v1/keys", {"name": "partner", "scopes": ["read"], "channel": "shop"})).ok(201)
        await followed(api)
        headers = {"Authorization": f"Bearer {made['token']}"}

        async def is_known() -> bool:
            return (await api.get("/v1/reservations?limit=1", headers=headers)).status == 200

        await wait_until(is_known, "the server knows the new key")
        ids, after, pages = list[str](), "", 0
        while True:
            page = (await api.get(f"/v1/reservations?sort=-created&limit=1&after={after}", headers=headers)).ok()
            ids += [each["reservation_id"] for each in page["reservations"]]
            after, pages = page["next"], pages + 1
            assert b"SECRET" not in urlsafe_b64decode(after + "==")
            if not after:
                break

        assert (ids, pages > 1) == (["mine"], True)
        for tampered in ("WzEsImEiXQ", "WzEsInoiLCJ6Il0", "WzEsIjAwIiwiZmYiXQ"):
            answer = await api.get(f"/v1/reservations?sort=-created&after={tampered}", headers=headers)
            assert answer.status in (200, 400), answer.raw


# -- listings


async def test_given_a_key_that_several_skus_have_when_searched_page_by_page_then_each_comes_once(
    start_server: Callable[..., Server],
) -> None:
    three = TWO + TWO.replace("channels.shop", "channels.third").partition("[channels.all]")[0]
    async with opened(start_server(toml=three, environment=KEYS, role="all")) as api:
        for sku in ("X", "Y", "KK-1", "KK-12"):
            await api.count(sku, 5)
        for channel, sku in (("shop", "X"), ("third", "KK-1"), ("all", "Y")):
            (await api.put(f"/v1/channels/{channel}/listings", {"listings": [{"sku": sku, "key": "KK 1"}]})).ok()

        async def is_found() -> bool:
            return set(await found(api, "q=kk1")) == {"X", "Y", "KK-1", "KK-12"}

        await wait_until(is_found, "all are found")
        for limit in (1, 2, 3, 4):
            assert sorted(await found(api, f"q=kk1&limit={limit}")) == ["KK-1", "KK-12", "X", "Y"], limit
        (await api.get("/v1/skus?q=kk1&after=WzIwXQ")).problem(400, "invalid")
        (await api.get("/v1/skus?after=WzFd")).problem(400, "invalid")


async def test_given_listings_whose_keys_and_skus_match_when_searched_page_by_page_then_each_comes_once(
    start_server: Callable[..., Server],
) -> None:
    async with opened(start_server(toml=TWO, environment=KEYS, role="all")) as api:
        names = ["TS-1", "TS-2", "other", *(f"ts 9{number}" for number in range(3))]
        keys = ["TS-1", "ts 2", "ts-3", *("\uac01" * 84 + str(number) for number in range(3))]
        for sku in names:
            await api.count(sku, 5)
        listings = [{"sku": sku, "key": key} for sku, key in zip(names, keys, strict=True)]
        (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()
        (await api.put("/v1/channels/all/listings", {"listings": listings[:3]})).ok()
        await followed(api)

        async def is_listed() -> bool:
            return len(await found(api, "q=ts&limit=50", "channels/shop/listings", "key")) == len(keys)

        await wait_until(is_listed, "the keys are found")
        for limit in (1, 2, 3):
            assert sorted(await found(api, f"q=ts&limit={limit}", "channels/shop/listings", "key")) == sorted(keys)
            assert sorted(await found(api, f"q=ts&limit={limit}", "channels/all/listings", "key")) == sorted(
                [*keys[:3], *names[3:]]
            )
            # A letter of Hangul has three when it is taken apart.
            assert await found(api, f"q=%EA%B0%81&limit={limit}", "channels/shop/listings", "key") == sorted(keys[3:])


async def test_given_listings_when_searched_then_keys_and_words_find_them(start_server: Callable[..., Server]) -> None:
    async with opened(start_server(toml=TWO, environment=KEYS, role="all")) as api:
        for sku in SKUS:
            await api.count(sku, 5)
        listings = [
            {"sku": SKUS[0], "key": "86-90-1"}, {"sku": SKUS[1], "key": "86-90-2"},
            {"sku": SKUS[2], "key": "six", "factor": 6},
        ]  # fmt: skip
        (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()
        await followed(api)

        async def keys(query: str, channel: str = "shop") -> list[str]:
            names, after = list[str](), ""
            while True:
                page = (await api.get(f"/v1/channels/{channel}/listings?{query}&after={after}")).ok()
                names += [each["key"] for each in page["listings"]]
                after = page["next"]
                if not after:
                    return names

        async def is_listed() -> bool:
            return await keys("q=8690&limit=1") == ["86-90-1", "86-90-2"]

        await wait_until(is_listed, "the keys are found")
        assert await keys("q=siyah") == ["86-90-1"]
        assert await keys("q=canta") == ["six"]
        assert await keys("q=tava") == []
        assert await keys("q=tava", "all") == ["Tavă 28 cm"]
        assert await keys("q=8690&state=shown") == []
        assert await found(api, "q=86902") == [SKUS[1]]
        assert set(await found(api, "channel=shop")) == set(SKUS[:3])
        assert set(await found(api, "channel=all&limit=2")) == set(SKUS)
        (await api.get("/v1/channels/shop/listings?q=a&sku=b")).problem(400, "invalid")
        (await api.get("/v1/channels/shop/listings?q=a&after=x")).problem(400, "invalid")


async def test_given_channels_when_a_page_shows_them_then_each_sku_has_what_its_own_answer_says(
    start_server: Callable[..., Server],
) -> None:
    async with opened(start_server(toml=TWO, environment=KEYS, role="all")) as api:
        for number in range(1, 8):
            await api.count(f"P{number}", number)
        listings = [
            {"sku": "P1", "key": "p1"},
            {"sku": "P2", "key": "six", "factor": 6},
            {"key": "set", "components": [{"sku": "P2"}, {"sku": "P3", "quantity": 2}]},
        ]
        (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()
        await followed(api)

        first = (await api.get("/v1/skus?show=channels&limit=5&sort=sku")).ok()
        rest = (await api.get(f"/v1/skus?show=channels&limit=5&sort=sku&after={first['next']}")).ok()

        rows = [*first["skus"], *rest["skus"]]
        assert [each["sku"] for each in rows] == [f"P{number}" for number in range(1, 8)]
        for row in rows:
            assert row["channels"] == (await api.get(f"/v1/stock/{row['sku']}/channels")).ok()["channels"]
        keys = {row["sku"]: [each["key"] for each in row["channels"][1]["listings"]] for row in rows}
        assert (keys["P1"], keys["P2"], keys["P3"], keys["P4"]) == (["p1"], ["set", "six"], ["set"], [])
        assert "channels" not in (await api.get("/v1/skus?limit=1")).ok()["skus"][0]
