"""Orders for the console's tests: sold, told of by their channel, and changed on the page as a person does."""

from typing import Any, Final

from playwright.async_api import Locator, expect

from server.domain.order_documents import StockLine
from server.store.documents.documents import Documents
from tests.console.accessible import assert_accessible
from tests.console.pages import SOON_MS, Console
from tests.support.docs_examples import CHANNEL, CREDENTIALS
from tests.support.http import Api
from tests.support.order_documents import booking, order

PARTITION: Final = "default"
ON_A_CHANNEL: Final[dict[str, object]] = {"toml": CHANNEL, "environment": CREDENTIALS, "role": "api"}
"""What the server of a shop with one channel has, which nobody tells."""


def main(opened: Console) -> Locator:
    return opened.page.locator("main")


async def sold(api: Api, sku: str, number: str, quantity: int = 2, **fields: object) -> str:
    """Sell units of one SKU as an order of a channel; returns the id of its reservation."""
    lines = [{"sku": sku, "quantity": quantity, "location": "main"}]
    names = {"reservation_id": f"trendyol.{number}", "order_ref": number}
    body = {"channel": "trendyol", "lines": lines, "on_shortage": "accept", **names, **fields}
    return str((await api.post("/v1/orders", body)).ok(201)["reservation_id"])


async def told(documents: Documents, sku: str, number: str, lacks: int = 0, **fields: Any) -> None:
    """Keep an order as the channel tells it, booked as its reservation."""
    stock = (StockLine(sku=sku, location="main", quantity=2, line="l1", lacks=lacks),)
    booked = booking(reservations=(f"trendyol.{number}",), lines=stock, short=lacks)
    await documents.put_order(PARTITION, "trendyol", order(number, **fields), booked)


async def ask(opened: Console, button: str, **values: str) -> None:
    """Open a dialog, fill in its fields by name, and press its button."""
    await main(opened).get_by_role("button", name=button, exact=True).first.click(timeout=SOON_MS)
    dialog = opened.page.locator("dialog")
    await expect(dialog).to_be_visible(timeout=SOON_MS)
    await assert_accessible(opened.page)
    for name, value in values.items():
        field = dialog.locator(f"[name={name}]")
        await expect(field).to_be_visible(timeout=SOON_MS)
        if await field.evaluate("element => element.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)
    await dialog.locator("button[type=submit]").click()
    await expect(dialog).to_have_count(0, timeout=SOON_MS)
