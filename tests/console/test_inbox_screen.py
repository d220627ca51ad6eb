"""The inbox on the page: what a channel's key means is said once, and orders are tried again or left alone."""

import pytest
from playwright.async_api import expect

from server.domain.order_documents import InboxEntry
from server.store.documents.documents import Documents
from tests.console.accessible import assert_accessible
from tests.console.pages import SOON_MS, console
from tests.console.sold_orders import ON_A_CHANNEL, PARTITION, main, told
from tests.support.http import Server
from tests.support.order_documents import marked_buyer, order

pytestmark = pytest.mark.timeout(240)
SERVED = ON_A_CHANNEL


async def test_a_key_that_nobody_knows_is_mapped_once_and_for_all(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        await opened.api.count("MAPPED", 9)
        await told(documents, "MAPPED", "8001", buyer=marked_buyer("again"), placed_ms=1)
        entry = InboxEntry(channel="trendyol", number="8002", reason="unmapped", listings=("8690000000999",))
        await documents.put_order(PARTITION, "trendyol", order("8002", buyer=marked_buyer("again")), entry=entry)
        await opened.show("#/orders?tab=inbox")
        row = main(opened).locator("tbody tr", has_text="8002")
        for text in ("Nobody knows what this key stands for", "8690000000999", "Repeat"):
            await expect(row).to_contain_text(text, timeout=SOON_MS)
        await assert_accessible(opened.page)
        await row.get_by_role("button", name="Name the product").click()
        dialog = opened.page.locator("dialog")
        await dialog.locator("[name=sku0]").fill("MAPED")
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("not known", timeout=SOON_MS)
        await dialog.locator("[name=sku0]").fill("MAPPED")
        await dialog.locator("[name=factor0]").fill("3")
        await dialog.locator("button[type=submit]").click()

        await expect(opened.page.get_by_role("status")).to_contain_text("Noted.", timeout=SOON_MS)
        listed = (await opened.api.get("/v1/channels/trendyol/listings?sku=MAPPED")).ok()["listings"]
        assert [(each["key"], each["factor"]) for each in listed] == [("8690000000999", 3)]


async def test_an_order_is_tried_again_or_left_alone(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        await documents.put_inbox(PARTITION, InboxEntry(channel="trendyol", number="8101", reason="busy"))
        await opened.show("#/orders?tab=inbox")
        row = main(opened).locator("tbody tr", has_text="8101")
        await row.get_by_role("button", name="Try again").click(timeout=SOON_MS)
        await expect(opened.page.get_by_role("status")).to_contain_text("Noted.", timeout=SOON_MS)
        await row.get_by_role("button", name="Leave it alone").click()
        await expect(row).to_have_count(0, timeout=SOON_MS)

        await opened.page.get_by_label("State").select_option("ignored")
        await expect(row).to_contain_text("left alone", timeout=SOON_MS)


async def test_a_line_that_was_sold_under_a_strange_name_gets_its_product(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("BLUE-VASE", 9)
        lines = [{"sku": "VZ 1 mavi", "quantity": 2}]
        body = {"channel": "trendyol", "reservation_id": "strange", "on_shortage": "accept", "lines": lines}
        (await opened.api.post("/v1/orders", body)).ok(201)
        await opened.show("#/orders/strange")
        await expect(main(opened)).to_contain_text("not known", timeout=SOON_MS)
        await main(opened).get_by_role("button", name="Name the product").click()
        await opened.page.locator("dialog [name=always]").check()
        await opened.page.locator("dialog [name=sku]").fill("BLUE-VASE")
        await opened.page.keyboard.press("Enter")

        await expect(main(opened)).to_contain_text("Sold as: VZ 1 mavi", timeout=SOON_MS)
        assert await opened.api.available("BLUE-VASE") == 7
        listed = (await opened.api.get("/v1/channels/trendyol/listings?sku=BLUE-VASE")).ok()["listings"]
        assert [each["key"] for each in listed] == ["VZ 1 mavi"]
