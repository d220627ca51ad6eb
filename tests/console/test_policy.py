"""What a browser makes of the console's headers and cookie: strict policy, no frames, no strange page, TLS or not."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from playwright.async_api import BrowserContext, Page, expect

from tests.console.morning import morning
from tests.console.pages import OWNER, SOON_MS, console, faults_of, sign_in, tab
from tests.console.screens import SCREENS, dialogs, show
from tests.support.browser import browser
from tests.support.http import Key, Server, opened, store_key
from tests.support.stores import make_certificates

pytest_plugins = ("tests.support.http_fixtures",)
pytestmark = pytest.mark.timeout(300)
LISTEN: Final = """
window.violations = [];
document.addEventListener('securitypolicyviolation',
  (event) => window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
INLINE: Final = "document.querySelectorAll('script:not([src]), style, iframe, object, embed').length"
TRIES: Final = {
    "a script in the page": "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
    " document.body.append(s); }",
    "a script from elsewhere": "(there) => { const s = document.createElement('script'); s.src = there;"
    " document.body.append(s); }",
    "a style in the page": "() => { const s = document.createElement('style'); s.textContent = 'main {top: 7px}';"
    " document.body.append(s); }",
    "a style of an element": "() => document.querySelector('main').setAttribute('style', 'top: 7px')",
    "a handler of an element": "() => { document.querySelector('main').setAttribute('onclick', 'window.ran = 1');"
    " document.querySelector('main').click(); }",
    "a text as a script": "() => { setTimeout('window.ran = 1', 0); }",
    "a request to elsewhere": "(there) => fetch(there).catch(() => {})",
    "a picture from elsewhere": "(there) => { new Image().src = there; }",
    "a frame": "(there) => { const f = document.createElement('iframe'); f.src = there; document.body.append(f); }",
    "another base": "(there) => { const b = document.createElement('base'); b.href = there; document.head.append(b); }",
    "a form to elsewhere": "(there) => { const f = document.createElement('form'); f.action = there; f.method = 'post';"
    " document.body.append(f); f.submit(); }",
}
"""What a script that got into the page would do next, and what the policy lets none do."""
BLOCKED: Final = [
    "violates",
    "Refused",
    "Content Security Policy",
    "ERR_BLOCKED",
    "csp",
    "failed:",
    "Content-Security",
    "Trusted",
]


@contextlib.asynccontextmanager
async def elsewhere(body: str) -> AsyncIterator[str]:
    """Serve a page on another port of this machine: another origin, of the same site. Yields its address."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="text/html")

    app = web.Application()
    app.add_routes([web.route("*", "/{any:.*}", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_no_screen_and_no_dialog_does_what_the_policy_forbids() -> None:
    async with morning() as now, console(now.server, faults=["422"]) as opened:
        page = opened.page
        await page.context.add_init_script(LISTEN)
        await page.reload()
        for screen in SCREENS:
            await show(opened, screen, now)
            async for _ in dialogs(opened):
                assert await page.evaluate(INLINE) == 0
            assert (screen.name, await page.evaluate("window.violations")) == (screen.name, [])


@pytest.mark.parametrize("name", TRIES)
async def test_the_policy_lets_a_script_in_the_page_do_nothing(server: Server, name: str) -> None:
    async with elsewhere("window.ran = 1") as there, console(server, faults=BLOCKED) as opened:
        page = opened.page
        await page.evaluate(LISTEN)

        await page.evaluate(f"(there) => {{ try {{ return ({TRIES[name]})(there); }} catch {{}} }}", there)

        async with asyncio.timeout(SOON_MS / 1000):  # asked from here: the policy lets the page itself evaluate nothing
            while not await page.evaluate("window.violations.length"):
                await asyncio.sleep(0.05)
        assert await page.evaluate("window.ran ?? 0") == 0
        assert await page.evaluate("getComputedStyle(document.querySelector('main')).top") == "auto"
        assert page.url.startswith(server.url)


async def test_no_page_shows_the_console_in_a_frame(server: Server) -> None:
    body = f'<iframe src="{server.url}/console"></iframe><iframe src="{server.url}/v1/stock/TEA"></iframe>'
    async with elsewhere(body) as there, browser() as context:
        page, complaints = await tab(context)
        await page.goto(there)
        async with asyncio.timeout(SOON_MS / 1000):
            while not any("frame-ancestors" in each or "X-Frame-Options" in each for each in complaints):
                await asyncio.sleep(0.05)

        shown = [await frame.content() for frame in page.frames[1:]]

        assert len(shown) == 2
        assert not any("Holdfast" in each for each in shown)


FORGED: Final = """
<form id="plain" method="post" enctype="text/plain" action="{url}/v1/stock/movements" target="out">
<input name='{{"movements":[{{"kind":"count","sku":"TEA","location":"main","on_hand":1,"reason":"' value='"}}]}}'>
</form>
<iframe name="out"></iframe>
<script>
  document.getElementById('plain').submit();
  const asked = {{ credentials: 'include', mode: 'no-cors' }};
  Promise.allSettled([
    fetch('{url}/v1/stock/TEA', asked),
    fetch('{url}/v1/console/session', {{ ...asked, method: 'POST', body: '{{"person":"Eve"}}' }}),
    fetch('{url}/v1/reservations', {{ ...asked, method: 'POST', body: '{{}}' }}),
    fetch('{url}/v1/skus/TEA', {{ credentials: 'include', method: 'DELETE' }}),
  ]).then((all) => document.title = all.map((each) => each.value?.type ?? each.status).join(' '));
</script>"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["same site", "another site"])
async def test_a_strange_page_in_the_same_browser_neither_reads_nor_changes(server: Server, host: str) -> None:
    async with elsewhere(FORGED.format(url=server.url)) as there, console(server) as opened:
        await opened.api.count("TEA", 5)
        page, _ = await tab(opened.page.context)

        async with page.expect_response("**/v1/stock/movements") as form:
            await page.goto(there.replace("127.0.0.1", host))
        assert (await form.value).status in (401, 403)
        await expect(page).to_have_title("opaque opaque opaque rejected", timeout=SOON_MS)

        assert await opened.api.available("TEA") == 5
        await opened.page.reload()
        await expect(opened.page.locator("footer")).to_contain_text("Ayşe", timeout=SOON_MS)


async def the_cookie(context: BrowserContext) -> dict[str, Any]:
    [cookie] = await context.cookies()
    return dict(cookie)


async def test_the_cookie_over_plain_http_is_for_this_server_s_pages_alone(server: Server) -> None:
    async with console(server) as opened:
        cookie = await the_cookie(opened.page.context)

        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("holdfast-console", True, "Strict")
        assert (cookie["secure"], cookie["path"]) == (False, "/")
        assert await opened.page.evaluate("document.cookie") == ""


@contextlib.asynccontextmanager
async def behind_tls(server: Server, folder: Path) -> AsyncIterator[str]:
    """Stand before a server as a proxy does that ends TLS. Yields its address."""
    made = make_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(server.host, server.port)
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    finally:
        proxy.close()


async def test_the_cookie_behind_tls_is_secure_and_nobody_else_s(server: Server, tmp_path: Path) -> None:
    async with behind_tls(server, tmp_path) as address, browser(any_certificate=True) as context:
        page, complaints = await tab(context)
        await page.goto(f"{address}/console")
        await sign_in(page, OWNER)
        await expect(page.locator("header.bar")).to_contain_text("Live", timeout=SOON_MS)
        cookie = await the_cookie(context)

        assert cookie["name"] == "__Host-holdfast-console"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        assert (cookie["path"], cookie["domain"]) == ("/", "127.0.0.1")
        assert await page.evaluate("document.cookie") == ""
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)
        assert await context.cookies() == []
        assert faults_of(complaints, ["401"]) == []  # what was being read when the session ended


async def test_who_was_fixed_to_a_session_before_signs_in_to_another(server: Server) -> None:
    planted = "planted-by-somebody-else"
    async with browser() as context:
        page, _ = await tab(context)
        await context.add_cookies([{"name": "holdfast-console", "value": planted, "url": server.url}])
        await page.goto(f"{server.url}/console")
        await sign_in(page, OWNER)

        assert (await the_cookie(context))["value"] != planted


async def test_a_page_whose_key_is_revoked_shows_the_form_and_nothing_else(start_server: Callable[..., Server]) -> None:
    server, clerk = start_server(), Key("clerk", "default", ("read",))
    store_key(server, OWNER)
    store_key(server, clerk)
    async with opened(server, OWNER) as api, browser() as context:
        await _until_keys_count(api)
        page, _ = await tab(context)
        await page.goto(f"{server.url}/console")
        await sign_in(page, clerk)

        store_key(server, clerk, revoked_at=datetime.now(UTC))

        await expect(page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)
        await expect(page.locator("main table")).to_have_count(0)
        await signs_in_no_more(page, clerk)


async def signs_in_no_more(page: Page, key: Key) -> None:
    await page.locator("input[name=person]").fill("Eve")
    await page.locator("input[name=key]").fill(key.token)
    await page.locator("form button[type=submit]").click()
    await expect(page.get_by_role("alert")).to_contain_text("This key opens nothing", timeout=SOON_MS)


async def _until_keys_count(api: Any) -> None:
    async with asyncio.timeout(30):
        while (await api.get("/v1/shortages", headers={"Authorization": "Bearer hf_x_y"})).status != 401:
            await asyncio.sleep(0.05)
