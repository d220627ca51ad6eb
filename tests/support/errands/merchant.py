"""Ten errands of a merchant: goods come, are counted, moved and sold, and somebody wants to know why."""

from tests.conftest import wait_until
from tests.support.errands.errand import Asking, counted, errand, order_of, units

ROLE = "merchant"


@errand(ROLE, "Receive a delivery that was expected, and see what is still to come")
async def receive(ask: Asking) -> None:
    await ask.put(
        "/v1/supply/PO-M-1", {"sku": "M-1", "quantity": 20, "expected_on": "2030-01-15", "allow_similar": True}
    )
    arrived = {"kind": "receive", "sku": "M-1", "quantity": 8, "supply_id": "PO-M-1"}
    await ask.post("/v1/stock/movements", units(arrived))
    [left] = (await ask.get("/v1/supply?sku=M-1"))["supply"]
    assert (left["received"], left["expected"]) == (8, 12)


@errand(ROLE, "Count a shelf while sales go on")
async def count(ask: Asking) -> None:
    await ask.given(counted("M-2", 10))
    began = (await ask.get("/v1/stock/M-2"))["levels"][0]["seq"]
    await ask.post("/v1/orders", order_of("M-2", 1, reservation_id="during-the-count"), 201)
    await ask.post("/v1/reservations/during-the-count/fulfil", {})
    found = await ask.put("/v1/stock/M-2/main", {"on_hand": 9, "baseline_seq": began, "reason": "stocktaking"})
    assert found["on_hand"] == 8


@errand(ROLE, "Put broken goods aside, and back when they were only dusty")
async def damaged(ask: Asking) -> None:
    await ask.given(counted("M-3", 5))
    aside = {"kind": "move", "sku": "M-3", "quantity": 2, "from": "available", "to": "damaged", "reason": "a crack"}
    back = {"kind": "move", "sku": "M-3", "quantity": 1, "from": "damaged", "to": "available", "reason": "only dusty"}
    await ask.post("/v1/stock/movements", {"movements": [aside, back]})
    assert (await ask.get("/v1/availability/M-3"))["available"] == 4


@errand(ROLE, "Send goods to a store, and receive them there")
async def transfer(ask: Asking) -> None:
    await ask.given(counted("M-4", 9), counted("M-4", 0, "izmir"))
    sent = {"transfer_id": "van-4", "from": "main", "to": "izmir", "lines": [{"sku": "M-4", "quantity": 5}]}
    await ask.post("/v1/transfers", sent, 201)
    assert "van-4" in {each["transfer_id"] for each in (await ask.get("/v1/transfers"))["transfers"]}
    received = await ask.post("/v1/transfers/van-4/receive", {})
    assert received["state"] == "closed"


@errand(ROLE, "Keep two of everything in one category for the shop window")
async def safety(ask: Asking) -> None:
    await ask.given(counted("M-5", 5))
    await ask.put("/v1/skus", {"skus": [{"sku": "M-5", "category": "window"}]})
    await ask.put("/v1/safety/rules", {"rules": [{"category": "window", "units": 2}]})

    async def is_kept() -> bool:
        return bool((await ask.get("/v1/availability/M-5"))["available"] == 3)

    await wait_until(is_kept, "the rule is applied")


@errand(ROLE, "Say when to order, and read what to order now")
async def reorder(ask: Asking) -> None:
    await ask.given(counted("M-6", 3))
    await ask.put("/v1/replenishment/rules", {"rules": [{"sku": "M-6", "reorder_point": 5, "target": 20}]})

    async def is_proposed() -> bool:
        proposals = (await ask.get("/v1/replenishment?sku=M-6"))["proposals"]
        return [each["quantity"] for each in proposals] == [17]

    await wait_until(is_proposed, "it is proposed")


@errand(ROLE, "Read what was sold, by channel")
async def sales(ask: Asking) -> None:
    await ask.given(counted("M-7", 9))
    await ask.post("/v1/orders", order_of("M-7", 4, reservation_id="sold-7"), 201)

    async def is_counted() -> bool:
        rows = (await ask.get("/v1/reports/sales?by=channel&sku=M-7"))["rows"]
        return ("trendyol", 4) in [(each["key"], each["ordered"]) for each in rows]

    await wait_until(is_counted, "the sale is in the report")


@errand(ROLE, "Find what is in stock and on no channel")
async def unlisted(ask: Asking) -> None:
    await ask.given(counted("M-8", 9))
    assert "M-8" in {each["sku"] for each in (await ask.get("/v1/reports/unlisted"))["skus"]}


@errand(ROLE, "Ask why the number is what it is, and who has the rest")
async def why(ask: Asking) -> None:
    await ask.given(counted("M-9", 5))
    await ask.post("/v1/reservations", order_of("M-9", 2, reservation_id="cart-9"), 201)
    stock = await ask.get("/v1/stock/M-9")
    assert stock["levels"][0]["because"].startswith("available 3 = on_hand 5")
    assert [each["reservation_id"] for each in stock["holders"]] == ["cart-9"]


@errand(ROLE, "Give a SKU another name, and go on under both")
async def rename(ask: Asking) -> None:
    await ask.given(counted("M-10", 5))
    await ask.post("/v1/skus/M-10/rename", {"to": "MUG-10"})
    for name in ("M-10", "MUG-10"):
        assert (await ask.get(f"/v1/availability/{name}"))["available"] == 5
