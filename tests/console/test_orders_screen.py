"""Orders on the page: found, read whole, shipped, cancelled, moved, taken back, exchanged."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from server.domain.order_documents import Buyer, Event, InboxEntry, ReturnDocument, ReturnedLine
from server.store.documents.documents import Documents
from tests.console.accessible import assert_accessible
from tests.console.pages import KEYS, PHONE, READER, SOON_MS, console
from tests.console.sold_orders import ON_A_CHANNEL, PARTITION, ask, main, sold, told
from tests.support.http import Api, Server
from tests.support.order_documents import MARK, marked_buyer, order

pytestmark = pytest.mark.timeout(240)
SERVED = ON_A_CHANNEL


@pytest.fixture
def index_server() -> Iterator[Server]:
    """A server that keeps the index of reservations, which one with the role ``api`` leaves to others."""
    with Server(keys=KEYS) as started:
        yield started
        assert started.faults == []


async def reservation(api: Api, name: str) -> Any:
    return (await api.get(f"/v1/reservations/{quote(name, safe='')}")).ok()


# -- found


async def test_an_order_is_found_by_its_number_its_channel_its_state_and_its_place(
    server: Server, documents: Documents
) -> None:
    async with console(server) as opened:
        await opened.api.count("FOUND", 9)
        for number in ("7001", "7002"):
            await sold(opened.api, "FOUND", number)
            await told(documents, "FOUND", number)
        await opened.show("#/orders")
        rows = main(opened).locator("tbody tr")
        await opened.page.get_by_label("Order number").fill("7002")
        await opened.page.keyboard.press("Enter")
        await expect(rows).to_have_count(1, timeout=SOON_MS)
        await expect(rows.first).to_contain_text("7002")
        assert await opened.page.evaluate("location.hash") == "#/orders?number=7002"
        await assert_accessible(opened.page)

        await opened.page.get_by_label("State").select_option("cancelled")
        await expect(main(opened)).to_contain_text("No order was found", timeout=SOON_MS)
        await opened.page.get_by_label("State").select_option("booked")
        await expect(rows).to_have_count(1, timeout=SOON_MS)
        await opened.page.get_by_label("Place").fill("izmir")
        await opened.page.get_by_role("button", name="Find").click()
        await expect(main(opened)).to_contain_text("No order was found", timeout=SOON_MS)
        await opened.page.get_by_role("link", name="Show all").click()
        await expect(main(opened)).to_contain_text("7001", timeout=SOON_MS)


async def test_only_what_is_short_is_shown_and_days_are_those_of_the_stock(
    server: Server, documents: Documents
) -> None:
    async with console(server) as opened:
        (await opened.api.put("/v1/time-zone", {"time_zone": "Europe/Istanbul"})).ok()
        await told(documents, "DAYS", "7101", lacks=1, placed_ms=1_796_000_000_000)  # 2026-11-29 23:53 UTC
        await told(documents, "DAYS", "7102", placed_ms=1_796_000_000_000)
        await opened.page.reload()
        await opened.show("#/orders?sku=DAYS")
        await expect(main(opened)).to_contain_text("7102", timeout=SOON_MS)
        shown = opened.page.get_by_label("Lacked units when booked")
        await shown.check()
        await expect(main(opened)).not_to_contain_text("7102", timeout=SOON_MS)
        await expect(main(opened)).to_contain_text("lacked 1 when it was booked")

        day = await opened.page.evaluate(
            "new Intl.DateTimeFormat('sv', {timeZone: 'Europe/Istanbul'}).format(1796000000000)"
        )
        await opened.show(f"#/orders?sku=DAYS&from={day}&to={day}")
        await expect(main(opened)).to_contain_text("7102", timeout=SOON_MS)
        await opened.show(f"#/orders?sku=DAYS&to={day[:8]}01")
        await expect(main(opened)).to_contain_text("No order was found", timeout=SOON_MS)


async def test_an_order_that_became_short_later_says_so_in_the_list_and_on_top(
    server: Server, documents: Documents
) -> None:
    async with console(server) as opened:
        await opened.api.count("LATER", 2)
        await opened.api.count("LATER", 2, "izmir")
        await sold(opened.api, "LATER", "7151")
        await told(documents, "LATER", "7151")
        await opened.show("#/orders?number=7151")
        row = main(opened).locator("tbody tr", has_text="7151")
        await expect(row).to_contain_text("2 × LATER", timeout=SOON_MS)
        await expect(row).not_to_contain_text("lack")

        await opened.api.count("LATER", 1)

        await expect(row).to_contain_text("lacks 1", timeout=SOON_MS)
        await row.get_by_role("link").click()
        await expect(main(opened).locator("dl").first).to_contain_text("lacks 1", timeout=SOON_MS)
        await main(opened).get_by_role("button", name="Take 1 from izmir").click()
        await expect(main(opened).locator("dl").first).not_to_contain_text("lacks 1", timeout=SOON_MS)
        await opened.show("#/orders?number=7151")
        await expect(row).to_contain_text("LATER", timeout=SOON_MS)
        await expect(row).not_to_contain_text("lacks 1", timeout=SOON_MS)


async def test_the_orders_of_one_buyer_are_a_press_away(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        for number, who in (("7201", "one"), ("7202", "one"), ("7203", "another")):
            await told(documents, "BUYERS", number, buyer=marked_buyer(who), placed_ms=1_796_000_000_000 + int(number))
        await opened.show("#/orders/trendyol/7202")
        await expect(main(opened)).to_contain_text("Repeat", timeout=SOON_MS)
        await main(opened).get_by_role("link", name="All orders of this buyer").click()

        await expect(main(opened)).to_contain_text("7201", timeout=SOON_MS)
        await expect(main(opened).locator("tbody tr")).to_have_count(2)


async def test_a_reservation_of_ones_own_is_found_by_customer_and_marked(index_server: Server) -> None:
    async with console(index_server) as opened:
        await opened.api.count("OWN", 9)
        fields = {"customer_ref": "customer 17", "flags": ["vip", "gift"], "order_ref": "WEB-17"}
        (await opened.api.reserve("OWN", 2, "S/2024/0001", **fields)).ok(201)
        await opened.show("#/orders?tab=reservations&customer_ref=customer%2017")
        await expect(main(opened)).to_contain_text("S/2024/0001", timeout=SOON_MS)
        await expect(main(opened).locator("tbody tr")).to_contain_text("VIP")
        await main(opened).get_by_role("link", name="S/2024/0001").click()

        await expect(main(opened).locator("h1")).to_have_text("S/2024/0001", timeout=SOON_MS)
        for text in ("VIP", "Gift", "WEB-17", "customer 17", "OWN", "main", "2 held", "Held until"):
            await expect(main(opened)).to_contain_text(text, timeout=SOON_MS)
        await ask(opened, "Release", units1="1", reason="one is enough")
        await expect(main(opened)).to_contain_text("1 cancelled", timeout=SOON_MS)
        await expect(opened.page.locator("#timeline")).to_contain_text("Why: one is enough", timeout=SOON_MS)
        assert (await reservation(opened.api, "S/2024/0001"))["lines"][0]["held"] == 1


async def test_what_was_asked_for_with_show_more_stays_when_the_list_is_read_again(index_server: Server) -> None:
    async with console(index_server) as opened:
        await opened.api.count("MANY", 200)
        bodies = [{"channel": "many", "reservation_id": f"many-{number:03}",
                   "lines": [{"sku": "MANY", "quantity": 1}]} for number in range(70)]  # fmt: skip
        (await opened.api.post("/v1/reservations/batch", {"reservations": bodies})).ok()
        await opened.show("#/orders?tab=reservations&channel=many")
        rows = main(opened).locator("tbody tr")
        await expect(rows).to_have_count(50, timeout=SOON_MS)
        await main(opened).get_by_role("button", name="Show more").click()
        await expect(rows).to_have_count(70, timeout=SOON_MS)

        (await opened.api.reserve("MANY", 1, "many-new", channel="many")).ok(201)

        await expect(main(opened)).to_contain_text("many-new", timeout=SOON_MS)
        await expect(rows).to_have_count(71, timeout=SOON_MS)


async def test_a_tracking_number_is_scanned_and_ships_nothing_by_itself(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SCANNED", 9)
        await sold(opened.api, "SCANNED", "7851")
        await opened.show("#/orders/trendyol.7851")
        await main(opened).get_by_role("button", name="Ship", exact=True).click(timeout=SOON_MS)
        await opened.page.get_by_label("Tracking number").click()

        await opened.scan("TR7770001234567")

        await expect(opened.page.get_by_label("Invoice number")).to_be_focused()
        await expect(opened.page.get_by_label("Tracking number")).to_have_value("TR7770001234567")
        assert (await reservation(opened.api, "trendyol.7851"))["state"] == "committed"
        await opened.page.locator("dialog button[type=submit]").click()
        await expect(opened.page.locator("#timeline")).to_contain_text("Shipped", timeout=SOON_MS)


# -- one order


async def test_an_order_is_one_timeline_of_its_channel_its_stock_and_its_notes(
    server: Server, documents: Documents
) -> None:
    async with console(server, person="Ayşe") as opened:
        await opened.api.count("TIME", 9)
        await sold(opened.api, "TIME", "7301", flags=["vip"])
        await told(documents, "TIME", "7301")
        await documents.add_timeline(PARTITION, "trendyol", "7301", Event(at_ms=5, kind="ship_done", actor="owner"))
        await opened.show("#/orders/trendyol/7301")
        await ask(opened, "Add a note", text="Call before delivery.")
        await ask(opened, "Ship", units1="1", tracking="TR-1", carrier="Yurtiçi", reason="the first of two parcels")

        timeline = opened.page.locator("#timeline")
        for text in (
            "The channel told of it", "Told the channel: shipped (done)", "Call before delivery.", "Shipped",
            "owner/Ayşe", "Ordered", "on the shelf −1", "Why: the first of two parcels",
        ):  # fmt: skip
            await expect(timeline).to_contain_text(text, timeout=SOON_MS)
        for text in ("VIP", "1 ordered", "1 shipped", "TR-1", "Yurtiçi", "TRY", MARK):
            await expect(main(opened)).to_contain_text(text, timeout=SOON_MS)
        await assert_accessible(opened.page)
        assert (await reservation(opened.api, "trendyol.7301"))["lines"][0]["fulfilled"] == 1


async def test_lines_are_cancelled_with_a_reason(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        await opened.api.count("CANCELLED", 9)
        await sold(opened.api, "CANCELLED", "7401")
        await told(documents, "CANCELLED", "7401")
        await opened.show("#/orders/trendyol/7401")
        await ask(opened, "Cancel units", units1="1", reason="the buyer changed her mind")

        await expect(main(opened)).to_contain_text("1 cancelled", timeout=SOON_MS)
        await expect(opened.page.locator("#timeline")).to_contain_text("the buyer changed her mind", timeout=SOON_MS)
        assert await opened.api.available("CANCELLED") == 8


async def test_a_dialog_in_which_nothing_is_chosen_says_so_and_changes_nothing(
    server: Server, documents: Documents
) -> None:
    async with console(server) as opened:
        await opened.api.count("NOTHING", 9)
        await sold(opened.api, "NOTHING", "7402")
        await told(documents, "NOTHING", "7402")
        await opened.show("#/orders/trendyol/7402")
        await main(opened).get_by_role("button", name="Cancel units").click(timeout=SOON_MS)
        await opened.page.locator("dialog [name=reason]").fill("none")
        await opened.page.keyboard.press("Enter")

        await expect(opened.page.locator("dialog [role=alert]")).to_contain_text("Nothing is chosen", timeout=SOON_MS)
        assert await opened.api.available("NOTHING") == 7


async def test_what_an_order_lacks_could_come_from_elsewhere_and_does(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        await opened.api.count("LACKS", 1)
        await opened.api.count("LACKS", 4, "izmir")
        await sold(opened.api, "LACKS", "7501")
        await told(documents, "LACKS", "7501", lacks=1)
        await opened.show("#/orders/trendyol/7501")
        await expect(main(opened)).to_contain_text("lacks 1", timeout=SOON_MS)
        await main(opened).get_by_role("button", name="Take 1 from izmir").click()

        await expect(main(opened).locator("section").first).to_contain_text("izmir", timeout=SOON_MS)
        await expect(main(opened).get_by_role("button", name="Take 1 from izmir")).to_have_count(0, timeout=SOON_MS)
        lines = (await reservation(opened.api, "trendyol.7501"))["lines"]
        assert [(line["location"], line["committed"]) for line in lines] == [("main", 1), ("izmir", 1)]
        moved = (await opened.api.get("/v1/history?order=trendyol.7501&limit=1")).ok()["changes"][0]
        assert (moved["operation"], moved["reason"]) == ("relocate", "the order lacked units")


async def test_all_that_is_short_is_on_one_list_with_marks_and_a_way_out(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SHORT", 1)
        await opened.api.count("SHORT", 4, "izmir")
        await sold(opened.api, "SHORT", "7601", quantity=3, flags=["gift"])
        await opened.show("#/orders?tab=short")
        part = main(opened).locator("section", has_text="SHORT at main")
        await expect(part).to_contain_text("7601", timeout=SOON_MS)
        await expect(part).to_contain_text("Gift")
        await assert_accessible(opened.page)
        await part.get_by_role("button", name="Take 2 from izmir").click()

        await expect(part).to_have_count(0, timeout=SOON_MS)
        assert await opened.api.available("SHORT") == 2


async def test_units_are_moved_to_another_place(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("MOVED", 9)
        await opened.api.count("MOVED", 4, "izmir")
        await sold(opened.api, "MOVED", "7701")
        await opened.show("#/orders/trendyol.7701")
        await ask(opened, "Another place", to="izmir", quantity="1", reason="it is closer")

        await expect(main(opened).locator("tbody")).to_contain_text("izmir", timeout=SOON_MS)
        await expect(opened.page.locator("#timeline")).to_contain_text("Why: it is closer", timeout=SOON_MS)
        await expect(opened.page.locator("#timeline")).to_contain_text("Taken from another place", timeout=SOON_MS)


async def test_units_come_back_damaged_and_others_go_out_instead(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("BACK", 9)
        await opened.api.count("INSTEAD", 9)
        name = await sold(opened.api, "BACK", "7801")
        (await opened.api.post(f"/v1/reservations/{name}/fulfil", {})).ok()
        await opened.show(f"#/orders/{name}")
        await ask(opened, "Return", units1="1", disposition="damaged", reason="cracked")
        await expect(main(opened)).to_contain_text("1 came back", timeout=SOON_MS)
        [level] = (await opened.api.get("/v1/stock/BACK")).ok()["levels"]
        assert (level["damaged"], level["on_hand"]) == (1, 8)

        await ask(opened, "Exchange", units1="1", sku="INSTEAD", quantity="2", reason="wrong size")
        await expect(main(opened)).to_contain_text("2 came back", timeout=SOON_MS)
        await expect(main(opened)).to_contain_text("Exchanged for")
        assert await opened.api.available("INSTEAD") == 7


async def test_a_return_at_the_channel_is_shown_beside_the_order(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        await told(documents, "RETURNED", "7901")
        lines = (ReturnedLine(quantity=1, line="l1", reason="too small"),)
        await documents.put_return(PARTITION, "trendyol", ReturnDocument(key="R-1", order_key="7901", lines=lines))
        await opened.show("#/orders/trendyol/7901")

        for text in ("R-1", "asked for", "too small", "Return"):
            await expect(main(opened)).to_contain_text(text, timeout=SOON_MS)


async def test_a_buyer_of_whom_only_a_code_is_known_is_said_to_be_unknown(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        await told(documents, "NOBODY", "7951", buyer=Buyer(id="b-17"))
        await opened.show("#/orders/trendyol/7951")

        await expect(main(opened)).to_contain_text("The channel told nothing of the buyer")


async def test_a_number_is_not_broken_that_a_long_text_has_more_room(server: Server, documents: Documents) -> None:
    async with console(server) as opened:
        long = "A NAME OF MANY WORDS THAT TAKES ALL THE ROOM THERE IS IN A LIST AND SOME MORE OF THAT WHICH OTHERS NEED"
        await told(documents, long, "17960726402")
        await opened.show("#/orders?number=17960726402")

        number = main(opened).get_by_role("link", name="17960726402")

        assert await number.evaluate("link => link.getClientRects().length") == 1


# -- who may, in which language, on what


async def test_who_may_only_read_sees_no_buyer_and_no_button(server: Server, documents: Documents) -> None:
    async with console(server, READER, person="Mehmet") as opened:
        await opened.api.count("READ", 9)
        await sold(opened.api, "READ", "8201")
        await told(documents, "READ", "8201")
        entry = InboxEntry(channel="trendyol", number="8201", reason="unmapped", listings=("k",))
        await documents.put_inbox(PARTITION, entry)
        await opened.show("#/orders/trendyol/8201")

        await expect(main(opened)).to_contain_text("Your key may not see personal data", timeout=SOON_MS)
        await expect(main(opened)).to_contain_text("READ")
        await expect(main(opened).get_by_role("button")).to_have_count(0)
        await expect(main(opened)).not_to_contain_text(MARK)


@pytest.mark.parametrize(("locale", "words"), [("tr-TR", "Siparişler"), ("ro-RO", "Comenzi")])
async def test_on_a_phone_in_each_language_nothing_is_wider_than_the_screen(
    server: Server, documents: Documents, locale: str, words: str
) -> None:
    async with console(server, locale=locale) as opened:
        await opened.page.set_viewport_size(PHONE)
        await opened.api.count("PHONE", 1)
        await opened.api.count("PHONE", 4, "izmir")
        await sold(opened.api, "PHONE", f"83{locale}")
        await told(documents, "PHONE", f"83{locale}", lacks=1)
        for address in (
            "#/orders", "#/orders?tab=reservations", "#/orders?tab=short", "#/orders?tab=inbox",
            f"#/orders/trendyol/83{locale}", f"#/orders/trendyol.83{locale}",
        ):  # fmt: skip
            await opened.show(address)
            await expect(main(opened).locator(".busy")).to_have_count(0, timeout=SOON_MS)
            await assert_accessible(opened.page)
            wide = await opened.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], address
        await opened.show("#/orders")
        await expect(main(opened).locator("h1")).to_have_text(words)


async def test_markup_stays_text_in_every_field_of_an_order(server: Server, documents: Documents) -> None:
    evil = "<img src=x onerror=alert(1)><b>"
    async with console(server) as opened:
        await opened.api.count(evil, 3)
        await sold(opened.api, evil, evil, customer_ref=evil, flags=[evil])
        kept = order(evil)
        line = kept.lines[0].__class__(key=evil, ordered=2, listing=evil, title=evil, unit_price=evil)
        package = kept.packages[0].__class__(key=evil, carrier=evil, tracking=evil, state=evil)
        strange: dict[str, Any] = {
            "lines": (line,),
            "packages": (package,),
            "currency": evil,
            "total": evil,
            "status": evil,
        }
        await told(documents, evil, evil, buyer=marked_buyer(evil), **strange)
        await documents.add_timeline(PARTITION, "trendyol", evil, Event(at_ms=5, kind=evil, text=evil, actor=evil))
        back = ReturnDocument(key=evil, order_key=evil, state=evil, lines=(ReturnedLine(quantity=1, reason=evil),))
        await documents.put_return(PARTITION, "trendyol", back)
        entry = InboxEntry(channel="trendyol", number=evil, reason=evil, detail=evil, listings=(evil,))
        await documents.put_inbox(PARTITION, entry)
        named = quote(evil, safe="")
        for address in (
            "#/orders", "#/orders?tab=reservations", "#/orders?tab=inbox", f"#/orders/trendyol/{named}",
            f"#/orders/trendyol.{named}", f"#/orders?tab={named}&number={named}",
        ):  # fmt: skip
            await opened.show(address)
            await expect(main(opened).locator(".busy")).to_have_count(0, timeout=SOON_MS)
            assert await main(opened).locator("img, b").count() == 0, address
        await opened.show(f"#/orders/trendyol/{named}")
        await expect(main(opened)).to_contain_text(evil, timeout=SOON_MS)
