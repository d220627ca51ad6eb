"""Ten errands of whoever runs Holdfast: is it well, what waits, and what to do about it."""

from tests.support.errands.errand import Asking, counted, errand, order_of

ROLE = "operator"


@errand(ROLE, "Ask whether the process lives, and whether it can take work")
async def alive(ask: Asking) -> None:
    assert (await ask.get("/livez"))["status"] == "ok"
    assert (await ask.get("/readyz"))["status"] == "ok"


@errand(ROLE, "Read the figures for the monitoring")
async def figures(ask: Asking) -> None:
    page = (await ask.send("GET", "/metrics")).raw.decode()
    assert "holdfast_requests_total" in page or "holdfast_http" in page


@errand(ROLE, "See how each channel stands, and what is not confirmed there")
async def channels(ask: Asking) -> None:
    [channel] = (await ask.get("/v1/channels"))["channels"]
    assert (channel["channel"], channel["circuit"]) == ("trendyol", "closed")
    assert (await ask.get("/v1/channels/trendyol/status"))["dirty"] == 0


@errand(ROLE, "List the values that a channel refuses, and have them sent again")
async def dead_letters(ask: Asking) -> None:
    assert (await ask.get("/v1/channels/trendyol/dead-letters"))["dead_letters"] == []
    asked = await ask.post("/v1/channels/trendyol/dead-letters/retry", {}, 202)
    assert asked["asked"] == "retry"


@errand(ROLE, "Have a channel compared with the stock as a whole")
async def reconcile(ask: Asking) -> None:
    asked = (await ask.send("POST", "/v1/channels/trendyol/reconcile")).ok(202)
    assert asked["asked"] == "reconcile"


@errand(ROLE, "Keep the last units from a channel while something is wrong there")
async def buffer(ask: Asking) -> None:
    rules = await ask.put("/v1/channels/trendyol", {"buffer": 3})
    assert rules["rules"]["buffer"] == 3
    assert "buffer" in (await ask.get("/v1/channels/trendyol"))["set_at_run_time"]


@errand(ROLE, "Look whether orders of channels could not be booked")
async def inbox(ask: Asking) -> None:
    assert (await ask.get("/v1/inbox"))["entries"] == []


@errand(ROLE, "Find the orders that lack units, and serve one from another location")
async def shortage(ask: Asking) -> None:
    await ask.given(counted("O-8", 1), counted("O-8", 5, "izmir"))
    lines = [{"sku": "O-8", "quantity": 2, "location": "main"}]
    await ask.post("/v1/orders", order_of("O-8", reservation_id="late-8", on_shortage="accept") | {"lines": lines}, 201)
    [short] = [each for each in (await ask.get("/v1/shortages"))["shortages"] if each["sku"] == "O-8"]
    [other] = short["lines"][0]["other_locations"]
    move = {"lines": [{"line": 1, "to": other["location"], "quantity": short["lines"][0]["lacks"]}]}
    await ask.post("/v1/reservations/late-8/move", move)
    assert [each for each in (await ask.get("/v1/shortages"))["shortages"] if each["sku"] == "O-8"] == []


@errand(ROLE, "Take a flooded store out of sale at once, and open it again")
async def closed(ask: Asking) -> None:
    await ask.given(counted("O-9", 5, "izmir"))
    await ask.put("/v1/locations/izmir", {"kind": "store", "open": False})
    assert (await ask.get("/v1/availability/O-9"))["available"] == 0
    await ask.put("/v1/locations/izmir", {"kind": "store"})
    assert (await ask.get("/v1/availability/O-9"))["available"] == 5


@errand(ROLE, "Ask what a channel shows of a SKU, what it should show, and why")
async def shown(ask: Asking) -> None:
    await ask.given(counted("O-10", 5))
    await ask.put("/v1/channels/trendyol/listings", {"listings": [{"sku": "O-10", "key": "869010"}]})
    [channel] = (await ask.get("/v1/stock/O-10/channels"))["channels"]
    [listing] = channel["listings"]
    assert (listing["key"], listing["shown"], listing["state"]) == ("869010", None, "pending")
    assert listing["why"]
    waiting = (await ask.get("/v1/channels/trendyol/listings?state=pending"))["listings"]
    assert "O-10" in {each["sku"] for each in waiting}
