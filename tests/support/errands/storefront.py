"""Ten errands of a storefront: its page reads with a token, and its server holds, commits and lets go."""

from tests.support.errands.errand import Asking, counted, errand

ROLE = "storefront"
HERE = {"lat": 40.9904, "lon": 29.0292}


async def token(ask: Asking, *skus: str) -> dict[str, str]:
    """Get a token, and return the headers that a page sends with it."""
    made = await ask.post("/v1/browser-tokens", {"ttl_s": 600, "skus": list(skus)}, 201)
    return {"Authorization": f"Bearer {made['token']}"}


def basket(sku: str, name: str, **fields: object) -> dict[str, object]:
    return {"channel": "shop", "reservation_id": name, "lines": [{"sku": sku, "quantity": 2}], **fields}


@errand(ROLE, "Let a page read what is left of what it shows, and nothing else, without the key")
async def page_token(ask: Asking) -> None:
    await ask.given(counted("F-1", 5))
    page = await token(ask, "F-1")
    assert (await ask.get("/v1/availability/F-1", headers=page))["available"] == 5
    (await ask.send("GET", "/v1/availability/C-1", headers=page)).problem(403, "forbidden")


@errand(ROLE, "Show a page of a catalogue with what is left of each")
async def catalogue(ask: Asking) -> None:
    await ask.given(counted("F-2a", 1), counted("F-2b", 0))
    page = await token(ask, "F-2a", "F-2b")
    found = await ask.post("/v1/availability/query", {"skus": ["F-2a", "F-2b"]}, headers=page)
    assert [each["available"] for each in found["availability"]] == [1, 0]


@errand(ROLE, "Have the number on an open page fall when somebody else buys")
async def live(ask: Asking) -> None:
    await ask.given(counted("F-3", 5))
    made = await ask.post("/v1/browser-tokens", {"skus": ["F-3"]}, 201)
    async with ask.stream(f"?access_token={made['token']}", has_key=False) as changes:
        await ask.post("/v1/orders", basket("F-3", "somebody-else"), 201)
        await changes.until({"F-3": 3})


@errand(ROLE, "Say which stores have it, the nearest first")
async def stores(ask: Asking) -> None:
    for name, lat in (("kadikoy", 40.99), ("izmir", 38.42)):
        await ask.put(f"/v1/locations/{name}", {"kind": "store", "position": {"lat": lat, "lon": 29.02}})
    await ask.given(counted("F-4", 2, "izmir"), counted("F-4", 1, "kadikoy"))
    near = await ask.get(f"/v1/availability/F-4/nearby?lat={HERE['lat']}&lon={HERE['lon']}")
    assert [each["location"] for each in near["locations"]] == ["kadikoy", "izmir"]


@errand(ROLE, "Hold a basket while its buyer pays, and give the same answer when the button is pressed twice")
async def hold(ask: Asking) -> None:
    await ask.given(counted("F-5", 5))
    held = [await ask.send("POST", "/v1/reservations", basket("F-5", "basket-5", ttl_s=120)) for _ in range(2)]
    assert held[0].ok(201)["expires_at"] == held[1].ok(201)["expires_at"]
    assert (await ask.get("/v1/availability/F-5"))["available"] == 3


@errand(ROLE, "Turn the hold into an order when the payment is there")
async def pay(ask: Asking) -> None:
    await ask.given(counted("F-6", 5))
    await ask.post("/v1/reservations", basket("F-6", "basket-6"), 201)
    paid = await ask.post("/v1/reservations/basket-6/commit", {"order_ref": "SHOP-6"})
    assert (paid["state"], paid["order_ref"]) == ("committed", "SHOP-6")


@errand(ROLE, "Let go of a basket, so that others have it at once")
async def let_go(ask: Asking) -> None:
    await ask.given(counted("F-7", 2))
    await ask.post("/v1/reservations", basket("F-7", "basket-7"), 201)
    await ask.post("/v1/reservations/basket-7/release", {})
    assert (await ask.get("/v1/availability/F-7"))["available"] == 2


@errand(ROLE, "Say what is missing where a basket is too large, and take what there is if the buyer agrees")
async def partial(ask: Asking) -> None:
    await ask.given(counted("F-8", 1))
    refused = (await ask.send("POST", "/v1/reservations", basket("F-8", "basket-8"))).problem(409, "out_of_stock")
    assert refused["lines"][0]["available"] == 1
    held = await ask.post("/v1/reservations", basket("F-8", "basket-8b", policy="partial"), 201)
    assert held["lines"][0]["held"] == 1


@errand(ROLE, "Sell before it is there, and promise a day")
async def preorder(ask: Asking) -> None:
    body = {"mode": "preorder", "limit": 10, "promise_on": "2030-03-01", "allow_similar": True}
    await ask.put("/v1/stock/F-9/main/backorder", body)
    ordered = await ask.post("/v1/orders", basket("F-9", "order-9", policy="backorder"), 201)
    assert (ordered["lines"][0]["backordered"], ordered["lines"][0]["promise_on"]) == (2, "2030-03-01")


@errand(ROLE, "Say from which day on there will be some")
async def promise(ask: Asking) -> None:
    await ask.given(counted("F-10", 0))
    expected = {"sku": "F-10", "quantity": 8, "expected_on": "2030-01-15"}
    await ask.put("/v1/supply/PO-F-10", expected)
    days = (await ask.get("/v1/atp/F-10?from=2030-01-14&to=2030-01-16"))["days"]
    assert [each["promisable"] for each in days] == [0, 8, 8]
