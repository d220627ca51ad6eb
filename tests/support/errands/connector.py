"""Ten errands of a connector: it brings a marketplace's orders in, and takes the stock out."""

from tests.support.errands.errand import Asking, counted, errand, order_of

ROLE = "connector"


@errand(ROLE, "Take an order by the barcode that the marketplace has, and send it again after a lost answer")
async def by_barcode(ask: Asking) -> None:
    await ask.given(counted("C-1", 10))
    await ask.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000036", "sku": "C-1", "factor": 1}]})
    line = {"barcode": "8690000000036", "quantity": 2}
    body = {"channel": "trendyol", "reservation_id": "ty-1001", "lines": [line]}
    first = await ask.send("POST", "/v1/orders", body)
    again = await ask.send("POST", "/v1/orders", body)
    assert first.ok(201)["lines"][0]["sku"] == "C-1"
    assert again.headers["Idempotent-Replayed"] == "true"


@errand(ROLE, "Record what is sold already, though it is not there, and see whom it hits")
async def sold_already(ask: Asking) -> None:
    await ask.given(counted("C-2", 1))
    await ask.post("/v1/orders", order_of("C-2", 3, reservation_id="ty-1002", on_shortage="accept"), 201)
    [short] = [each for each in (await ask.get("/v1/shortages"))["shortages"] if each["sku"] == "C-2"]
    assert (short["short"], short["lines"][0]["reservation_id"]) == (2, "ty-1002")


@errand(ROLE, "Hold while the buyer pays, hold longer, and turn it into an order")
async def hold_and_commit(ask: Asking) -> None:
    await ask.given(counted("C-3", 5))
    await ask.post("/v1/reservations", order_of("C-3", reservation_id="cart-3", ttl_s=60), 201)
    await ask.post("/v1/reservations/cart-3/extend", {"ttl_s": 900})
    committed = await ask.post("/v1/reservations/cart-3/commit", {"order_ref": "WEB-3"})
    assert committed["state"] == "committed"


@errand(ROLE, "Cancel one piece of an order, once however often it is sent")
async def cancel_some(ask: Asking) -> None:
    await ask.given(counted("C-4", 5))
    await ask.post("/v1/orders", order_of("C-4", 3, reservation_id="ty-1004"), 201)
    part = {"lines": [{"line": 1, "quantity": 1}], "reason": "the buyer asked"}
    for _ in range(2):
        left = await ask.post("/v1/reservations/ty-1004/cancel", part, headers={"Idempotency-Key": "cancel-4"})
        assert left["lines"][0]["committed"] == 2


@errand(ROLE, "Ship an order with its tracking number, and find it by that order's id")
async def ship(ask: Asking) -> None:
    await ask.given(counted("C-5", 5))
    await ask.post("/v1/orders", order_of("C-5", 2, reservation_id="S/2026/5"), 201)
    found = await ask.post("/v1/reservations/lookup", {"reservation_id": "S/2026/5"})
    assert found["state"] == "committed"
    shipped = await ask.post("/v1/reservations/S%2F2026%2F5/fulfil", {"tracking": "TR-5", "carrier": "dhl"})
    assert (shipped["state"], shipped["notes"]["tracking"]) == ("fulfilled", "TR-5")


@errand(ROLE, "Take back what a buyer sent back broken")
async def take_back(ask: Asking) -> None:
    await ask.given(counted("C-6", 5))
    await ask.post("/v1/orders", order_of("C-6", 1, reservation_id="ty-1006"), 201)
    await ask.post("/v1/reservations/ty-1006/fulfil", {})
    back = {"lines": [{"line": 1, "quantity": 1, "disposition": "damaged"}], "reason": "cracked"}
    await ask.post("/v1/reservations/ty-1006/return", back)
    stock = await ask.get("/v1/stock/C-6")
    assert (stock["levels"][0]["damaged"], stock["available"]) == (1, 4)


@errand(ROLE, "Change the quantity of an order without letting go of what it has")
async def edit(ask: Asking) -> None:
    await ask.given(counted("C-7", 5))
    await ask.post("/v1/orders", order_of("C-7", 1, reservation_id="ty-1007"), 201)
    edited = await ask.post("/v1/reservations/ty-1007/lines", {"lines": [{"line": 1, "quantity": 4}]})
    assert edited["lines"][0]["committed"] == 4


@errand(ROLE, "Follow every change of stock, break off, and go on where it was")
async def follow(ask: Asking) -> None:
    await ask.given(counted("C-8", 5))
    async with ask.stream() as changes:
        await ask.given(counted("C-8", 6))
        await changes.until({"C-8": 6})
    await ask.given(counted("C-8", 7))
    async with ask.stream(f"?after={changes.last_id}") as changes:
        await changes.until({"C-8": 7})


@errand(ROLE, "Read the whole catalogue once, and follow it from there without losing a sale in between")
async def snapshot(ask: Asking) -> None:
    await ask.given(counted("C-9", 5))
    found, after = dict[str, int](), ""
    while True:
        page = await ask.get(f"/v1/snapshot?locations=false&limit=100&after={after}")
        found |= {each["sku"]: each["available"] for each in page["availability"]}
        after = page["next"]
        if not after:
            break
    assert found["C-9"] == 5
    await ask.given(counted("C-9", 4))
    async with ask.stream(f"?after={page['changes_after']}") as changes:
        await changes.until({"C-9": 4})


@errand(ROLE, "Bring in an order of something that is not known yet, and say later what it is")
async def map_later(ask: Asking) -> None:
    await ask.given(counted("C-10", 5))
    body = order_of("mavi vazo", 2, reservation_id="ty-1010", on_shortage="accept")
    taken = await ask.post("/v1/orders", body, 201)
    assert taken["lines"][0]["mode"] == "unmapped"
    mapped = await ask.post("/v1/reservations/ty-1010/lines", {"lines": [{"line": 1, "sku": "C-10"}]})
    assert (mapped["lines"][0]["sku"], mapped["lines"][0]["location"]) == ("C-10", "main")
