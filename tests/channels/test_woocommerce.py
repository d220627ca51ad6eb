"""The WooCommerce adapter against a simulated shop."""

from typing import Any, ClassVar, Final

import msgspec
import pytest

from adapters.contract.errors import SpoiledError, UnavailableError
from adapters.contract.stock import Applied, Item, Rejected, Retry, Unknown
from adapters.testing.conformance import Conformance
from adapters.testing.driving import Driven
from adapters.testing.simulator import PAGE, Fault
from adapters.woocommerce import ADAPTER, Options
from tests.channels.woocommerce_simulator import INVALID_ID, KEY, SECRET, USE_VARIATIONS, WooCommerceSimulator

CREDENTIALS: Final = {"consumer_key": KEY, "consumer_secret": SECRET}

CUT_SHORT: Final = "another request of this push failed: "


class _Shop(Conformance[WooCommerceSimulator]):
    kind = ADAPTER
    credentials = CREDENTIALS
    push_path = "/batch"

    def make_simulator(self) -> WooCommerceSimulator:
        return WooCommerceSimulator()


class TestWooCommerceById(_Shop):
    """Every other listing is a variation, of three products."""

    unknown_key: ClassVar[str | None] = "999999"
    unknown_words = INVALID_ID

    def options_for(self, simulator: WooCommerceSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url}

    def key(self, number: int) -> str:
        return f"{10 + number % 3}/{1000 + number}" if number % 2 else str(1000 + number)

    # -- variations

    async def test_a_listing_may_name_its_product_beside_its_key(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("120/125")
        item = self.item("125", 4, attributes={"parent_id": "120"})

        assert await channel.push(item) == {"125": Applied()}
        assert simulator.shown["120/125"] == 4
        assert await channel.read(["125"]) == {"125": 4}

    async def test_a_variation_under_a_bare_id_is_found_for_the_next_push(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("120/125")
        item = self.item("125", 4)

        first = await channel.push(item)
        second = await channel.push(item)

        assert first == {"125": Retry("woocommerce_rest_invalid_product_id", USE_VARIATIONS)}
        assert second == {"125": Applied()}
        assert simulator.shown["120/125"] == 4

    async def test_a_variation_of_another_product_is_refused(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("120/125", "130/135")

        outcomes = await channel.push(self.item("130/125", 4), self.item("130/135", 6))

        assert outcomes == {
            "130/125": Rejected("woocommerce_rest_product_variation_invalid_id", INVALID_ID),
            "130/135": Applied(),
        }

    async def test_values_of_one_product_s_variations_share_a_request(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("120/1", "130/2", "120/3", "4", "5")

        await channel.push(*(self.item(key, 7) for key in ("120/1", "130/2", "120/3", "4", "5")))

        root = "/wp-json/wc/v3/products"
        paths = [each.path for each in simulator.received]
        assert paths == [f"{root}/120/variations/batch", f"{root}/130/variations/batch", f"{root}/batch"]

    @pytest.mark.parametrize("key", ["", "abc", "12/", "/12", "1/2/3", "-4", "１２"])
    async def test_a_key_that_is_no_id_is_refused_without_asking(
        self, key: str, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.push(self.item(key, 4))

        assert isinstance(outcomes, dict)
        assert isinstance(outcomes[key], Rejected)
        assert simulator.received == []

    # -- several requests in one push

    @pytest.mark.parametrize(
        ("fault", "reported"),
        [
            ("throttled_with_retry_after", Retry("not_sent", f"{CUT_SHORT}HTTP 429: Too many requests", after_s=0.0)),
            ("unavailable", Retry("unavailable", f"HTTP 503: {PAGE}", after_s=1.0)),
            ("failing", Retry("unavailable", f"HTTP 500: {PAGE}")),
            ("not_json", Retry("unavailable", f"HTTP 200 with a body that is not JSON: {PAGE}")),
        ],
    )
    async def test_a_fault_half_way_keeps_what_is_known(
        self, fault: Fault, reported: Retry, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "120/2", "130/3")
        simulator.faults.append(fault)
        simulator.only = "/120/"

        outcomes = await channel.push(*(self.item(key, 7) for key in ("1", "120/2", "130/3")))

        later = Retry(
            "not_sent", reported.reason if reported.code == "not_sent" else CUT_SHORT + reported.reason, after_s=0.0
        )
        assert outcomes == {"1": Applied(), "120/2": reported, "130/3": later}
        assert simulator.applied == [("1", 7)]

    async def test_a_connection_cut_half_way_leaves_only_its_own_values_unknown(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "120/2", "130/3")
        simulator.faults.append("reset_after")
        simulator.only = "/120/"

        outcomes = await channel.push(*(self.item(key, 7) for key in ("1", "120/2", "130/3")))

        assert isinstance(outcomes, dict)
        assert outcomes["1"] == Applied()
        assert isinstance(outcomes["120/2"], Unknown)
        assert isinstance(outcomes["130/3"], Retry)
        assert simulator.applied == [("1", 7), ("120/2", 7)]

    async def test_one_value_that_spoils_its_own_request_is_reported_beside_the_others(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "120/2")
        simulator.refusals.append((400, "rest_invalid_param", "Invalid parameter(s): update"))
        simulator.refusal_path = "/120/"

        outcomes = await channel.push(self.item("1", 7), self.item("120/2", 7))

        assert outcomes == {"1": Applied(), "120/2": Rejected("rest_invalid_param", "Invalid parameter(s): update")}

    @pytest.mark.parametrize("checks_parents", [False, True])
    async def test_a_product_that_is_gone_refuses_its_variations_only(
        self, checks_parents: bool, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1")
        simulator.checks_parents = checks_parents

        outcomes = await channel.push(self.item("700/701", 7), self.item("700/702", 7), self.item("1", 7))

        code = "product_invalid_id" if checks_parents else "product_variation_invalid_id"
        refused = Rejected(f"woocommerce_rest_{code}", INVALID_ID)
        assert outcomes == {"700/701": refused, "700/702": refused, "1": Applied()}
        assert await channel.read(["700/701", "1"]) == {"1": 7}

    # -- what the shop answers

    async def test_an_error_that_may_pass_is_to_be_tried_again(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "2")
        simulator.errors[1] = ("db_update_error", "Could not update post in the database")

        outcomes = await channel.push(self.item("1", 7), self.item("2", 8))

        assert outcomes == {"1": Retry("db_update_error", "Could not update post in the database"), "2": Applied()}

    async def test_an_answer_in_another_order_is_matched_by_id(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "2")
        simulator.reverses = True

        outcomes = await channel.push(self.item("1", 7), self.item("999", 5), self.item("2", 8))

        assert outcomes == {
            "1": Applied(),
            "999": Rejected("woocommerce_rest_product_invalid_id", INVALID_ID),
            "2": Applied(),
        }

    async def test_an_error_without_an_id_is_matched_by_its_position(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "2")
        simulator.null_ids = True

        outcomes = await channel.push(self.item("1", 7), self.item("999", 5), self.item("2", 8))

        assert outcomes == {
            "1": Applied(),
            "999": Rejected("woocommerce_rest_product_invalid_id", INVALID_ID),
            "2": Applied(),
        }

    async def test_an_id_that_the_answer_leaves_out_is_of_unknown_fate(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "2")
        simulator.drops = {1}

        outcomes = await channel.push(self.item("1", 7), self.item("2", 8))

        assert outcomes == {"1": Unknown("the shop's answer does not name this id"), "2": Applied()}

    async def test_a_shop_without_stock_management_is_not_taken_for_a_yes(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1")
        simulator.manages_stock = False

        outcomes = await channel.push(self.item("1", 7))

        assert isinstance(outcomes, dict)
        assert isinstance(outcomes["1"], Rejected)
        assert outcomes["1"].code == "stock_not_managed"

    async def test_a_shop_that_allows_fewer_items_is_reported_as_spoiled(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.stock("1", "2")
        simulator.batch_max = 1

        with pytest.raises(SpoiledError, match="more than 1 items") as caught:
            await channel.push(self.item("1", 7), self.item("2", 8))

        assert caught.value.code == "woocommerce_rest_request_entity_too_large"

    async def test_a_product_that_did_not_manage_its_stock_does_from_then_on(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        product = simulator.add("1", 1)
        product.manages_stock = False
        before = await channel.read(["1"])

        await channel.push(self.item("1", 7))

        assert (before, await channel.read(["1"])) == ({}, {"1": 7})

    async def test_a_number_that_is_the_parent_s_is_not_read_as_the_variation_s(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.add("120/125", 125, 120, quantity=9).manages_stock = "parent"

        assert await channel.read(["120/125"]) == {}

    # -- prices

    @pytest.mark.parametrize(
        ("price", "list_price", "expected"),
        [
            ("9.50", "12.00", ("12.00", "9.50")),
            ("9.50", "9.50", ("9.50", "")),
            ("9.50", None, ("9.50", "")),
            (None, "15.00", ("15.00", "8.00")),
            (None, None, ("10.00", "8.00")),
        ],
    )
    async def test_the_price_that_buyers_pay_ends_an_older_sale(
        self,
        price: str | None,
        list_price: str | None,
        expected: tuple[str, str],
        simulator: WooCommerceSimulator,
        channel: Driven,
    ) -> None:
        product = simulator.add("1", 1)
        product.regular_price, product.sale_price = "10.00", "8.00"

        await channel.push(self.item("1", 7, price=price, list_price=list_price))

        assert (product.regular_price, product.sale_price) == expected


class TestWooCommerceByVariation(_Shop):
    """Every listing is a variation under its own id; its product stands beside the key."""

    unknown_key: ClassVar[str | None] = "999999"
    unknown_words = INVALID_ID

    def options_for(self, simulator: WooCommerceSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url}

    def key(self, number: int) -> str:
        return str(1000 + number)

    def make_known(self, simulator: WooCommerceSimulator, *keys: str) -> None:
        for key in set(keys) - simulator.shown.keys():
            simulator.add(key, int(key), parent=10 + int(key) % 3)

    def item(self, key: str, quantity: int, **fields: Any) -> Item:
        return super().item(key, quantity, **{"attributes": {"parent_id": str(10 + int(key) % 3)}, **fields})


class TestWooCommerceBySku(_Shop):
    """Listings are keyed by the shop's SKUs, with all that merchants write into them."""

    unknown_words = "nothing with the SKU"

    def options_for(self, simulator: WooCommerceSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url, "key_is": "sku"}

    def key(self, number: int) -> str:
        return f"Çanta {number}/L & co"

    def make_known(self, simulator: WooCommerceSimulator, *keys: str) -> None:
        for number, key in enumerate(sorted(set(keys) - simulator.shown.keys()), 1000 + len(simulator.products)):
            simulator.add(key, number, parent=7 if number % 2 else 0, sku=key)

    async def test_a_sku_is_looked_up_once(self, simulator: WooCommerceSimulator, channel: Driven) -> None:
        await channel.push(*self.items(1, 2, 3))
        await channel.push(*self.items(4, 5, 6))
        await channel.read([self.key(0)])

        assert [each.path for each in simulator.received if each.method == "GET"] == [
            "/wp-json/wc/v3/products",
            "/wp-json/wc/v3/products",
        ]

    async def test_a_product_made_anew_under_its_sku_is_found_again(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        product = simulator.add("SKU", 1, sku="SKU")
        await channel.push(self.item("SKU", 3))
        del simulator.products[product.id]
        simulator.add("SKU", 2, sku="SKU")

        first = await channel.push(self.item("SKU", 4))
        second = await channel.push(self.item("SKU", 4))

        assert isinstance(first, dict)
        assert isinstance(first["SKU"], Retry)
        assert second == {"SKU": Applied()}

    async def test_a_sku_that_stands_twice_is_refused(self, simulator: WooCommerceSimulator, channel: Driven) -> None:
        simulator.add("one", 1, sku="SKU")
        simulator.add("other", 2, sku="SKU")

        outcomes = await channel.push(self.item("SKU", 3))

        reason = "the shop has the SKU 'SKU' several times: 1, 2; list it by id"
        assert outcomes == {"SKU": Rejected("sku_not_unique", reason)}

    async def test_a_sku_with_a_comma_is_found(self, simulator: WooCommerceSimulator, channel: Driven) -> None:
        self.make_known(simulator, "A,B", "A", "B")

        outcomes = await channel.push(self.item("A,B", 3), self.item("A", 4), self.item("B", 5))

        assert outcomes == {"A,B": Applied(), "A": Applied(), "B": Applied()}
        assert (simulator.shown["A,B"], simulator.shown["A"], simulator.shown["B"]) == (3, 4, 5)

    async def test_long_skus_are_looked_up_within_what_a_request_line_holds(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        keys = [f"{number:03}{'ü' * 62}" for number in range(60)]
        self.make_known(simulator, *keys)

        assert await channel.read(keys) == dict.fromkeys(keys, 0)

    async def test_a_question_without_an_answer_changes_nothing_and_is_reported_so(
        self, simulator: WooCommerceSimulator, channel: Driven
    ) -> None:
        simulator.faults.append("reset")

        with pytest.raises(UnavailableError):
            await channel.push(*self.items(3))

        assert await channel.push(*self.items(3)) == {self.key(0): Applied()}


@pytest.mark.parametrize(
    "base_url", ["http://shop.example", "shop.example", "https://", "https://me:pass@shop.example", "https://x/?a=b"]
)
def test_an_address_that_would_give_the_secret_away_is_refused(base_url: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="base_url"):
        msgspec.convert({"base_url": base_url}, Options)


def test_a_shop_in_a_folder_keeps_its_folder() -> None:
    options = msgspec.convert({"base_url": "https://example.test/shop/"}, Options)
    adapter = ADAPTER.build(options, CREDENTIALS)

    request = next(adapter.push([Item(key="1", sku="A", quantity=1, version=1)], 0.0))

    assert request.url == "https://example.test/shop/wp-json/wc/v3/products/batch"
