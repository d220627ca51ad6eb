"""Orders with lines that nobody knows, and SKUs without stock, over HTTP."""

from typing import Any

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

GIFT = "GIFT-WRAP"


async def order(api: Api, reservation_id: str, *lines: tuple[str, int], **fields: object) -> Any:
    body = {
        "channel": "web",
        "reservation_id": reservation_id,
        "on_shortage": "accept",
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        **fields,
    }
    return (await api.post("/v1/orders", body)).ok(201)


def shown(view: Any) -> list[tuple[str, str, int, int, str]]:
    return [
        (line["sku"], line["location"], line["committed"], line.get("backordered", 0), line.get("mode", ""))
        for line in view["lines"]
    ]


async def unmapped(api: Api) -> list[str]:
    """Read all pages; on a busy machine the first can be empty."""
    found, after = [], ""
    while True:
        page = (await api.get(f"/v1/reservations?unmapped=true&after={after}")).ok()
        found += [each["reservation_id"] for each in page["reservations"]]
        after = page["next"]
        if not after:
            return sorted(found)


async def test_given_an_order_with_a_line_that_nobody_knows_when_mapped_then_it_is_whole(api: Api) -> None:
    await api.count("S", 5)
    await api.count("T", 5)

    made = await order(api, "o", ("S", 1), (GIFT, 1))
    listed = await unmapped(api)
    named = (await api.post("/v1/reservations/o/fulfil", {"lines": [{"line": 2, "quantity": 1}]})).problem(
        409, "line_unmapped"
    )
    mapped = (await api.post("/v1/reservations/o/lines", {"lines": [{"line": 2, "sku": "T"}]})).ok()
    other = (await api.post("/v1/reservations/o/lines", {"lines": [{"line": 2, "sku": "S"}]})).problem(
        409, "line_mapped"
    )

    assert shown(made) == [("S", "main", 1, 0, ""), (GIFT, "", 0, 1, "unmapped")]
    assert [each["sku"] for each in made["availability"]] == ["S"]
    assert listed == ["o"]
    assert "/v1/reservations/{id}/lines" in named["detail"]
    assert shown(mapped) == [("S", "main", 1, 0, ""), ("T", "main", 1, 0, "")]
    assert mapped["lines"][1]["text"] == GIFT
    assert other["lines"][0]["sku"] == "T"
    assert await unmapped(api) == []
    assert (await api.get("/v1/availability/S")).ok()["available"] == 4


async def test_given_an_order_of_one_unknown_line_when_accepted_then_it_leaves_nothing_available(api: Api) -> None:
    made = await order(api, "only", ("Hediye paketi", 3))

    assert shown(made) == [("Hediye paketi", "", 0, 3, "unmapped")]
    assert (made["state"], made.get("availability", [])) == ("backordered", [])
    (await api.get("/v1/stock/Hediye%20paketi")).problem(422, "unknown_sku")


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([{"line": 1, "sku": "A"}, {"line": 1, "sku": "B"}], "lines[1].line"),
        ([{"line": 1, "sku": ""}], "lines[0].sku"),
        ([{"line": 1, "sku": "A", "location": "x\n"}], "lines[0].location"),
        ([], "lines"),
    ],
)
async def test_given_a_mapping_that_breaks_a_rule_when_sent_then_the_field_is_named(
    api: Api, lines: list[Any], field: str
) -> None:
    refused = (await api.post("/v1/reservations/o/lines", {"lines": lines})).problem(400, "invalid")

    assert refused["errors"][0]["field"] == field


async def test_given_a_mapping_with_a_key_when_repeated_then_it_is_replayed(api: Api) -> None:
    await api.count("T", 5)
    await order(api, "o", (GIFT, 2))

    body, key = {"lines": [{"line": 1, "sku": "T"}]}, {"Idempotency-Key": "m"}
    first = await api.post("/v1/reservations/o/lines", body, headers=key)
    again = await api.post("/v1/reservations/o/lines", body, headers=key)

    assert again.ok() == first.ok()
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_given_an_untracked_sku_when_ordered_then_it_needs_no_stock_and_is_unknown_to_availability(
    api: Api,
) -> None:
    await api.count("S", 1)

    put = (await api.put(f"/v1/skus/{GIFT}", {"tracked": False})).ok()
    made = await order(api, "o", ("S", 1), (GIFT, 2), on_shortage="reject")
    shipped = (await api.post("/v1/reservations/o/fulfil", {})).ok()

    assert put == {"sku": GIFT, "category": None, "tracked": False}
    assert (await api.get(f"/v1/skus/{GIFT}")).ok() == put
    assert shown(made) == [("S", "main", 1, 0, ""), (GIFT, "", 2, 0, "untracked")]
    assert shipped["state"] == "fulfilled"
    (await api.get(f"/v1/stock/{GIFT}")).problem(422, "unknown_sku")
    (await api.get(f"/v1/availability/{GIFT}")).problem(422, "unknown_sku")


async def test_given_an_untracked_sku_when_its_figures_are_asked_for_then_it_has_as_few_as_an_unknown_one(
    api: Api,
) -> None:
    (await api.put(f"/v1/skus/{GIFT}", {"tracked": False})).ok()

    assert (await api.get(f"/v1/replenishment?sku={GIFT}")).ok()["proposals"] == []
    (await api.get(f"/v1/reports/velocity?sku={GIFT}")).problem(422, "unknown_sku")


async def test_given_a_sku_with_stock_when_it_is_to_be_untracked_then_it_is_refused(api: Api) -> None:
    await api.count("S", 0, "izmir")

    refused = (await api.put("/v1/skus/S", {"tracked": False})).problem(409, "sku_has_stock")

    assert "GET /v1/stock/{sku}" in refused["detail"]
    assert (await api.get("/v1/skus/S")).ok()["tracked"] is True
    assert (await api.put("/v1/skus/S", {"tracked": True, "category": "mugs"})).ok() == {
        "sku": "S",
        "category": "mugs",
        "tracked": True,
    }


async def test_given_an_untracked_sku_when_tracked_again_then_it_is_unknown(api: Api) -> None:
    (await api.put(f"/v1/skus/{GIFT}", {"tracked": False, "category": "services"})).ok()

    again = (await api.put(f"/v1/skus/{GIFT}", {"tracked": True})).ok()

    assert again == {"sku": GIFT, "category": "services", "tracked": True}
    lines = [{"sku": GIFT, "quantity": 1}]
    (await api.post("/v1/orders", {"channel": "web", "lines": lines})).problem(422, "unknown_sku")
