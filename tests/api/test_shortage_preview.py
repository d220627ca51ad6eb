"""Who would lack units after a count, before it is sent."""

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)


async def preview(api: Api, fewer: int, sku: str = "A") -> list[tuple[str, int]]:
    found = (await api.get(f"/v1/shortages/preview?sku={sku}&location=main&fewer={fewer}")).ok()["shortages"]
    return [(line["reservation_id"], line["lacks"]) for each in found for line in each["lines"]]


async def test_the_newest_orders_would_lack_units_and_nothing_changes(api: Api) -> None:
    await api.count("A", 5)
    for number in (1, 2):
        (await api.reserve("A", 2, f"hold-{number}")).ok(201)

    assert await preview(api, 1) == []
    assert await preview(api, 2) == [("hold-2", 1)]
    assert await preview(api, 5) == [("hold-2", 2), ("hold-1", 2)]
    assert (await api.get("/v1/shortages")).ok()["shortages"] == []


async def test_it_is_what_there_is_after_the_count(api: Api) -> None:
    await api.count("A", 3)
    (await api.reserve("A", 3, "hold")).ok(201)
    before = await preview(api, 2)

    await api.count("A", 1)

    found = (await api.get("/v1/shortages")).ok()["shortages"]
    assert [(line["reservation_id"], line["lacks"]) for each in found for line in each["lines"]] == before
    assert await preview(api, 0) == before == [("hold", 2)]


async def test_what_is_not_known_there_is_said(api: Api) -> None:
    (await api.get("/v1/shortages/preview?sku=NONE&location=main&fewer=1")).problem(422, "unknown_sku")
    (await api.get("/v1/shortages/preview?sku=NONE&location=main&fewer=-1")).problem(400, "invalid")
