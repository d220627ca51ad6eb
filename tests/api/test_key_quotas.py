"""What a key with a quota is answered, on a real server: what it holds, what it may, and when it comes back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.http import Answer, Api, Key, Server, opened
from tests.support.scraping import figure

ADMIN = Key("admin", "ada", ("metrics", "admin"))
PARTNER = Key("partner", "ada", ("reserve",), "held_units_max = 10")
RESELLER = Key("reseller", "ada", ("reserve:own",), "held_units_max = 30\ncustomer_units_max = 4")
OPEN = Key("open", "ada", ("reserve",))


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[ADMIN, PARTNER, RESELLER, OPEN], workers=2, figures_interval_s=0) as server:
        yield server
        assert server.faults == []


@pytest.fixture
async def admin(keyed: Server) -> AsyncIterator[Api]:
    async with opened(keyed, ADMIN) as client:
        await client.count("A", 1_000)
        yield client


@pytest.fixture
async def partner(keyed: Server, admin: Api) -> AsyncIterator[Api]:
    """A key with a quota of 10 units, which lets go of what it holds."""
    async with opened(keyed, PARTNER) as client:
        yield client
    await _let_go(admin)


@pytest.fixture
async def reseller(keyed: Server, admin: Api) -> AsyncIterator[Api]:
    """The same with 30 units, of them 4 for each customer."""
    async with opened(keyed, RESELLER) as client:
        yield client
    await _let_go(admin)


async def _let_go(admin: Api) -> None:
    for each in (await admin.get("/v1/reservations?state=held")).ok()["reservations"]:
        (await admin.post(f"/v1/reservations/{each['reservation_id']}/release", {})).ok()


def body(quantity: int, **fields: Any) -> dict[str, Any]:
    return {"channel": "web", "lines": [{"sku": "A", "quantity": quantity}], **fields}


async def reserve(api: Api, quantity: int, **fields: Any) -> Answer:
    return await api.post("/v1/reservations", body(quantity, **fields))


def quota_of(answer: Answer) -> dict[str, Any]:
    problem = answer.problem(409, "quota_exceeded")
    assert problem["retryable"] is True
    found: dict[str, Any] = problem["quota"]
    return found


async def test_what_is_beyond_the_quota_is_refused_with_what_is_used_and_the_limit(
    keyed: Server, admin: Api, partner: Api
) -> None:
    name = 'holdfast_key_limit_refusals_total{reason="quota"}'
    before = await figure(keyed, name, [ADMIN])
    (await reserve(partner, 7)).ok(201)

    refused = await reserve(partner, 4, reservation_id="late")

    assert quota_of(refused) == {"of": "key", "used": 7, "limit": 10, "requested": 4}
    assert refused.body["detail"].startswith("This key holds 7 of 10 units, and 4 more were requested.")
    (await admin.get("/v1/reservations/late")).problem(404, "unknown_reservation")
    (await reserve(partner, 3, reservation_id="late")).ok(201)
    assert await figure(keyed, name, [ADMIN]) == before + 1


async def test_what_the_quota_can_never_hold_is_not_to_be_sent_again(partner: Api, reseller: Api) -> None:
    for answer, quota, of_whom in (
        (await reserve(partner, 50), {"of": "key", "used": 0, "limit": 10, "requested": 50}, ""),
        (
            await reserve(reseller, 5, customer_ref="eva"),
            {"of": "customer", "used": 0, "limit": 4, "requested": 5},
            " for this customer",
        ),
    ):
        refused = answer.problem(409, "quota_exceeded")
        assert (refused["quota"], refused["retryable"]) == (quota, False)
        assert refused["detail"] == (
            f"This key may hold no more than {quota['limit']}{of_whom}, and {quota['requested']} more were requested at"
            " once. Request fewer, or have the limit raised. Nothing changed."
        )


async def test_a_customer_is_who_is_named_letter_by_letter(admin: Api, reseller: Api) -> None:
    """As docs/keys.md says: what a key sends for one customer is for it to write alike."""
    for spelled in ("Ayşe", "ayşe", " Ayşe", "Ays\u0327e", " "):
        (await reserve(reseller, 4, customer_ref=spelled)).ok(201)
    assert quota_of(await reserve(reseller, 1, customer_ref="Ays\u0327e"))["used"] == 4
    held = (await admin.get("/v1/reservations?state=held")).ok()["reservations"]
    assert len({each["customer_ref"] for each in held}) == 5


async def test_a_quota_for_each_customer_needs_one(reseller: Api) -> None:
    (await reserve(reseller, 4, customer_ref="ayşe")).ok(201)

    refused = await reserve(reseller, 1, customer_ref="ayşe")

    assert quota_of(refused) == {"of": "customer", "used": 4, "limit": 4, "requested": 1}
    assert "for this customer" in refused.body["detail"]
    (await reserve(reseller, 4, customer_ref="mihai")).ok(201)
    assert (await reserve(reseller, 1)).problem(400, "invalid")["errors"][0]["field"] == "customer_ref"


async def test_units_come_back_by_whichever_key(keyed: Server, admin: Api, partner: Api) -> None:
    for act in ("commit", "release"):
        (await reserve(partner, 10, reservation_id=act)).ok(201)
        async with opened(keyed, OPEN) as other:
            (await other.post(f"/v1/reservations/{act}/{act}", {})).ok()
    (await reserve(partner, 10, reservation_id="edited")).ok(201)
    (await admin.post("/v1/reservations/edited/lines", {"lines": [{"line": 1, "quantity": 6}]})).ok()

    assert quota_of(await partner.post("/v1/reservations/edited/lines", {"lines": [{"line": 1, "quantity": 11}]})) == {
        "of": "key", "used": 6, "limit": 10, "requested": 5,
    }  # fmt: skip
    (await partner.post("/v1/reservations/edited/lines", {"lines": [{"line": 1, "quantity": 10}]})).ok()


async def test_a_hold_of_another_key_cannot_be_made_larger_with_one_that_has_a_quota(admin: Api, partner: Api) -> None:
    (await reserve(admin, 1, reservation_id="theirs")).ok(201)

    refused = await partner.post("/v1/reservations/theirs/lines", {"lines": [{"line": 1, "quantity": 2}]})

    assert "does not count for the quota of this key" in refused.problem(409, "quota_exceeded")["detail"]
    assert "quota" not in refused.body
    assert refused.body["retryable"] is False


async def test_what_is_held_in_an_exchange_counts_and_a_refusal_returns_nothing(
    keyed: Server, admin: Api, partner: Api
) -> None:
    name = 'holdfast_key_limit_refusals_total{reason="quota"}'
    (await partner.post("/v1/orders", body(3, reservation_id="bought"))).ok(201)
    (await partner.post("/v1/reservations/bought/fulfil", {})).ok()
    (await reserve(partner, 8)).ok(201)
    before = await figure(keyed, name, [ADMIN])
    returned = {"lines": [{"line": 1, "quantity": 3, "disposition": "restock"}]}

    refused = await partner.post("/v1/reservations/bought/exchange", {"return": returned, "reservation": body(3)})

    assert quota_of(refused) == {"of": "key", "used": 8, "limit": 10, "requested": 3}
    assert (await admin.get("/v1/reservations/bought")).ok()["lines"][0]["returned"] == 0
    assert await figure(keyed, name, [ADMIN]) == before + 1
    (await partner.post("/v1/reservations/bought/exchange", {"return": returned, "reservation": body(2)})).ok(201)
    assert quota_of(await reserve(partner, 1))["used"] == 10


async def test_items_of_a_batch_count_one_after_the_other(partner: Api) -> None:
    answer = await partner.post("/v1/reservations/batch", {"reservations": [body(4), body(4), body(4), body(2)]})

    assert [each["status"] for each in answer.ok()["results"]] == [201, 201, 409, 201]


async def test_orders_are_not_counted(partner: Api) -> None:
    (await partner.post("/v1/orders", body(50))).ok(201)
    (await reserve(partner, 10)).ok(201)


async def test_200_callers_at_two_workers_hold_exactly_the_quota(admin: Api, reseller: Api) -> None:
    answers = await asyncio.gather(*(reserve(reseller, 1, customer_ref=f"c{n % 10}") for n in range(200)))

    assert Counter(each.status for each in answers) == {201: 30, 409: 170}
    assert {each["of"] for each in map(quota_of, (a for a in answers if a.status == 409))} <= {"key", "customer"}
    held = (await admin.get("/v1/reservations?state=held")).ok()["reservations"]
    assert Counter(each["customer_ref"] for each in held).most_common(1)[0][1] <= 4


async def test_a_quota_is_given_changed_and_lifted(keyed: Server, admin: Api) -> None:
    sent = {"scopes": ["reserve"], "held_units_max": 5, "customer_units_max": 2}
    key = (await admin.post("/v1/keys", sent)).ok(201)["key"]
    assert (key["held_units_max"], key["customer_units_max"]) == (5, 2)

    changed = (await admin.put(f"/v1/keys/{key['id']}", {"held_units_max": 8, "customer_units_max": None})).ok()

    assert (changed["held_units_max"], changed["customer_units_max"]) == (8, None)
    for wrong in (0, -1, 1_000_000_001, "7"):
        (await admin.put(f"/v1/keys/{key['id']}", {"held_units_max": wrong})).problem(400, "invalid")
    assert keyed.faults == []
