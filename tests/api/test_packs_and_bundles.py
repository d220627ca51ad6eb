"""Several listings of a SKU, and bundles, over HTTP: how they are put, read, refused and bounded."""

from typing import Any

import pytest

from tests.api.test_channels import ONE, Shop, as_put, put, shop  # noqa: F401  # a fixture
from tests.support.http import Api


@pytest.fixture
def api(shop: Shop) -> Api:  # noqa: F811  # as fixtures are named
    return shop.api()


def pack(sku: str, key: str, factor: int, **fields: object) -> dict[str, object]:
    return {"sku": sku, "key": key, "factor": factor, **fields}


def bundle(key: str, **units: int) -> dict[str, Any]:
    return {"key": key, "components": [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]}


async def read(api: Api, query: str = "") -> list[Any]:
    found = (await api.get(f"{ONE}/listings{query}")).ok()["listings"]
    return sorted((as_put(each) for each in found), key=lambda each: str(each["key"]))


async def test_a_sku_has_several_listings_each_with_a_factor_and_bundles_have_components(api: Api) -> None:
    single = {"sku": "A", "key": "k1", "listed": True}
    answer = await put(api, single, pack("A", "k6", 6), pack("A", "k1b", 1), bundle("set", A=2, B=1))

    assert answer == {"listings": 4, "unknown_skus": ["A", "B"]}
    six = {**pack("A", "k6", 6), "listed": True}
    again = {**pack("A", "k1b", 1), "listed": True}
    both = {"sku": "", "listed": True, **bundle("set", A=2, B=1)}
    assert await read(api) == [single, again, six, both]
    assert await read(api, "?sku=A") == [single, again, six, both]
    assert await read(api, "?sku=B") == [both]
    assert await read(api, "?key=k6") == [six]
    assert await read(api, "?key=k1") == [single]


async def test_a_pack_is_known_by_its_key_and_replaced_as_a_whole(api: Api) -> None:
    await put(api, pack("A", "k6", 6, price="9.90"), {"sku": "A", "key": "k1"})
    await put(api, pack("B", "k6", 12))

    assert await read(api, "?key=k6") == [{**pack("B", "k6", 12), "listed": True}]
    assert await read(api, "?sku=A") == [{"sku": "A", "key": "k1", "listed": True}]


async def test_a_factor_for_the_key_of_a_sku_s_own_listing_makes_it_a_pack(api: Api) -> None:
    await put(api, {"sku": "A", "key": "K"}, {"sku": "B", "key": "L"})
    await put(api, pack("A", "K", 6), pack("B", "L", 1, price="5"))

    assert await read(api, "?sku=A") == [
        {"sku": "A", "key": "K", "listed": False},
        {**pack("A", "K", 6), "listed": True},
    ]
    assert await read(api, "?sku=B") == [{"sku": "B", "key": "L", "listed": True, "price": "5"}], "1 stays a single one"


async def test_a_file_without_the_factor_does_not_make_a_single_unit_of_a_pack(api: Api) -> None:
    await put(api, pack("A", "K", 6))

    problem = (await api.put(f"{ONE}/listings", {"listings": [{"sku": "A", "key": "K"}]})).problem(409, "key_taken")

    assert "K is listed already, with a factor or components; send those, too, or unlist it" in problem["detail"]
    assert await read(api) == [{**pack("A", "K", 6), "listed": True}]


async def test_a_bundle_cannot_take_the_key_of_a_sku_that_keeps_it(api: Api) -> None:
    await put(api, {"sku": "A", "key": "K"})

    (await api.put(f"{ONE}/listings", {"listings": [bundle("K", B=1, C=1)]})).problem(409, "key_taken")
    await put(api, bundle("K", B=1, C=1), {"sku": "A", "key": "K2"})

    assert [each["key"] for each in await read(api)] == ["K", "K2"]


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"key": "k"}, "listings[1].sku"),
        ({"key": "k", "factor": 6}, "listings[1].sku"),
        (pack("A", "k", 0), "listings[1].factor"),
        (pack("A", "k", 1_000_001), "listings[1].factor"),
        ({**bundle("k", A=1), "sku": "A"}, "listings[1].components"),
        ({**bundle("k", A=1), "factor": 2}, "listings[1].factor"),
        (bundle("k"), "listings[1].components"),
        (bundle("k", **{f"S{n}": 1 for n in range(21)}), "listings[1].components"),
        (bundle("k", A=0), "listings[1].components[0].quantity"),
        ({"key": "k", "components": [{"sku": "A"}, {"sku": "A"}]}, "listings[1].components[1].sku"),
        ({"key": "k", "components": [{"sku": "A\u200b"}]}, "listings[1].components[0].sku"),
        (pack("B", "first", 2), "listings[1].key"),
    ],
)
async def test_what_cannot_be_a_pack_or_bundle_is_refused_by_its_field_and_nothing_is_kept(
    api: Api, second: dict[str, Any], field: str
) -> None:
    body = {"listings": [pack("A", "first", 6), second]}

    problem = (await api.put(f"{ONE}/listings", body)).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field
    assert await read(api) == []


async def test_a_sku_is_in_a_thousand_bundles_and_not_in_more(api: Api) -> None:
    for start in (0, 500):
        await put(api, *(bundle(f"b{n}", A=1, B=2) for n in range(start, start + 500)))

    problem = (await api.put(f"{ONE}/listings", {"listings": [bundle("one more", C=1, B=1)]})).problem(400, "invalid")

    assert "B is in 1,000 packs and bundles of this channel" in problem["errors"][0]["rule"]
    assert (await put(api, bundle("b7", A=1, C=3), bundle("one more", C=1, B=1)))["listings"] == 2, "one has left"


async def test_one_request_changes_a_bounded_number_of_components(api: Api) -> None:
    many = [bundle(f"b{n}", **{f"S{n}-{part}": 1 for part in range(20)}) for n in range(101)]

    (await api.put(f"{ONE}/listings", {"listings": many})).problem(400, "invalid")

    assert (await put(api, *many[:100]))["listings"] == 100


async def test_pages_go_through_all_kinds_of_listings(api: Api) -> None:
    singles: list[dict[str, object]] = [{"sku": f"S{n}", "key": f"s{n}"} for n in range(600)]
    await put(api, *singles)
    await put(api, *(pack(f"S{n}", f"p{n}", 2) for n in range(600)))

    found, after, pages = set[str](), "", 0
    while pages == 0 or after:
        page = (await api.get(f"{ONE}/listings?limit=200&after={after}")).ok()
        found |= {each["key"] for each in page["listings"]}
        after, pages = page["next"], pages + 1

    assert len(found) == 1_200


async def delete(api: Api, path: str) -> Any:
    return await api.send("DELETE", path)


async def test_an_unlisted_bundle_keeps_its_components_until_it_is_deleted_by_its_key(api: Api) -> None:
    await api.count("A", 0)
    await api.count("B", 0)
    await put(api, {**bundle("set / 1", A=1, B=2), "listed": False}, pack("A", "k6", 6), {"sku": "A", "key": "k1"})

    used = (await delete(api, "/v1/skus/A")).problem(409, "sku_in_use")["detail"]
    assert "trendyol has a listing of it" in used
    (await delete(api, f"{ONE}/listings/A")).ok()
    used = (await delete(api, "/v1/skus/A")).problem(409, "sku_in_use")["detail"]
    assert "trendyol has a pack or bundle of it under the key k6" in used
    assert "holdfast channels delete-listing" in used
    assert (await delete(api, f"{ONE}/listings?key=k6")).ok() == {"channel": "trendyol", "key": "k6"}
    assert "key set / 1" in (await delete(api, "/v1/skus/A")).problem(409, "sku_in_use")["detail"]
    for _ in range(2):
        (await delete(api, f"{ONE}/listings?key=set%20%2F%201")).ok()

    (await delete(api, "/v1/skus/A")).ok()
    (await delete(api, "/v1/skus/B")).ok()
    assert await read(api) == []


async def test_an_unlisted_bundle_does_not_keep_its_component_from_being_renamed(api: Api) -> None:
    await api.count("A", 1)
    await put(api, {**bundle("set", A=1, B=2), "listed": False})

    (await api.post("/v1/skus/A/rename", {"to": "Z"})).ok()

    [found] = await read(api)
    assert [each["sku"] for each in found["components"]] == ["Z", "B"]


async def test_the_key_of_a_sku_s_own_listing_is_no_pack_that_could_be_deleted(api: Api) -> None:
    await put(api, {"sku": "A", "key": "k1"})

    problem = (await delete(api, f"{ONE}/listings?key=k1")).problem(400, "invalid")
    (await delete(api, f"{ONE}/listings")).problem(400, "invalid")
    (await delete(api, "/v1/channels/nosuch/listings?key=k1")).problem(404, "unknown_channel")

    assert "is that of the listing of A: delete it by its SKU" in problem["errors"][0]["rule"]
    assert await read(api) == [{"sku": "A", "key": "k1", "listed": True}]
