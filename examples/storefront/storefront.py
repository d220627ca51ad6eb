"""A small shop on Holdfast: this server keeps the API key, and its page shows what is left while it is open.

The page reads availability from Holdfast itself, with a token that this server gets for it. Holding, paying and letting
go come here, since they need the key.

    python examples/storefront/storefront.py --key-file shop.key
"""

import argparse
import asyncio
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

HERE: Final = Path(__file__).parent
CHANNEL: Final = "storefront"
TOKEN_S: Final = 900
HOLD_S: Final = 120
"""How long a customer has to pay."""
QUANTITY_MAX: Final = 5
BASKET: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The page makes the id of a basket at random: who has it may pay or let go, and nobody guesses it."""
TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


class Holdfast:
    """The few requests that the shop makes with its key."""

    def __init__(self, session: aiohttp.ClientSession, url: URL, key: str) -> None:
        self._session = session
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def post(self, *path: str, body: object, key: str = "") -> tuple[int, dict[str, Any]]:
        """Send a request, once more where nobody knows what came of it: an id in the body or a key makes that safe."""
        status, answer = await self._post(path, body, key)
        if status >= web.HTTPInternalServerError.status_code:
            status, answer = await self._post(path, body, key)
        return status, answer

    async def _post(self, path: tuple[str, ...], body: object, key: str) -> tuple[int, dict[str, Any]]:
        url = self.url.joinpath("v1", *path)
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        try:
            async with self._session.post(url, json=body, headers=headers, timeout=TIMEOUT) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 503, {"title": "The shop cannot reach its stock just now. Please try again."}


class Shop:
    """The routes of the shop."""

    def __init__(self, holdfast: Holdfast, catalogue: Mapping[str, Any]) -> None:
        self._holdfast = holdfast
        self._catalogue = catalogue
        self._skus = [article["sku"] for article in catalogue["articles"]]

    def add_to(self, app: web.Application) -> None:
        """Register them."""
        app.on_response_prepare.append(self._protect)
        app.router.add_get("/", self._file("index.html"))
        for name in ("shop.js", "shop.css"):
            app.router.add_get(f"/{name}", self._file(name))
        app.router.add_get("/api/catalogue", self.catalogue)
        app.router.add_post("/api/token", self.token)
        app.router.add_put("/api/baskets/{basket}", self.hold)
        app.router.add_post("/api/baskets/{basket}/pay", self.pay)
        app.router.add_delete("/api/baskets/{basket}", self.let_go)

    def _file(self, name: str) -> Any:
        path = HERE / "page" / name
        headers = {"Content-Type": f"{TYPES[path.suffix]}; charset=utf-8", "Cache-Control": "no-cache"}

        async def send(_request: web.Request) -> web.Response:
            return web.Response(body=path.read_bytes(), headers=headers)

        return send

    async def _protect(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Let the page load its own files, and call this server and Holdfast, and nothing else."""
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none';"
            f" frame-ancestors 'none'; connect-src 'self' {self._holdfast.url.origin()}"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"

    async def catalogue(self, _request: web.Request) -> web.Response:
        """Tell what is sold, and where what is left can be read."""
        return web.json_response({**self._catalogue, "holdfast": str(self._holdfast.url.origin())})

    async def token(self, _request: web.Request) -> web.Response:
        """Get a token for the page: it reads what this shop can sell of these SKUs, for some minutes."""
        body = {"ttl_s": TOKEN_S, "channel": CHANNEL, "skus": self._skus}
        status, answer = await self._holdfast.post("browser-tokens", body=body)
        return web.json_response(answer, status=status, headers={"Cache-Control": "no-store"})

    async def hold(self, request: web.Request) -> web.Response:
        """Hold units while the customer pays. The same basket again has the same answer, and no second effect."""
        asked = await _json(request)
        sku, quantity = asked.get("sku"), asked.get("quantity")
        if sku not in self._skus or type(quantity) is not int or not 1 <= quantity <= QUANTITY_MAX:
            raise web.HTTPBadRequest(text="Ask for one of our articles, and not too many.")
        body = {
            "reservation_id": _reservation(request),
            "channel": CHANNEL,
            "ttl_s": HOLD_S,
            "lines": [{"sku": sku, "quantity": quantity}],
        }
        return self._told(*await self._holdfast.post("reservations", body=body))

    async def pay(self, request: web.Request) -> web.Response:
        """Take the money, and turn the hold into an order; where the hold is over, give the money back."""
        reservation = _reservation(request)
        if not await _authorise(reservation):
            return web.json_response({"title": "The bank has declined the payment."}, status=402)
        key = f"{reservation}-pay"
        status, answer = await self._holdfast.post("reservations", reservation, "commit", body={}, key=key)
        # After a 5xx nobody knows whether it is an order: the page asks again, with the same key, and is told.
        if web.HTTPBadRequest.status_code <= status < web.HTTPInternalServerError.status_code:
            await _void(reservation)
        return self._told(status, answer)

    async def let_go(self, request: web.Request) -> web.Response:
        """Let go of what is held; others can have it at once."""
        reservation = _reservation(request)
        key = f"{reservation}-release"
        return self._told(*await self._holdfast.post("reservations", reservation, "release", body={}, key=key))

    def _told(self, status: int, answer: dict[str, Any]) -> web.Response:
        """Tell the page what it needs of an answer, and nothing of the key's other business."""
        names = ("state", "expires_at", "title", "outcome")
        return web.json_response({name: answer[name] for name in names if answer.get(name)}, status=status)


async def _authorise(_reservation: str) -> bool:
    """Stand in for the bank: a real shop asks its payment provider here, once for each reservation's id."""
    await asyncio.sleep(0)
    return True


async def _void(_reservation: str) -> None:
    """Stand in for the bank: what was authorised is not taken."""
    await asyncio.sleep(0)


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="Send a JSON object.")
    return body


def _reservation(request: web.Request) -> str:
    basket = request.match_info["basket"]
    if not BASKET.fullmatch(basket):
        raise web.HTTPNotFound(text="There is no such basket.")
    return f"{CHANNEL}-{basket}"


async def serve(options: argparse.Namespace) -> None:
    """Serve until the process is told to end."""
    catalogue = tomllib.loads((HERE / "catalogue.toml").read_text("utf-8"))
    key = options.key_file.read_text("utf-8").strip()
    async with aiohttp.ClientSession() as session:
        app = web.Application(client_max_size=4_096)
        Shop(Holdfast(session, URL(options.holdfast), key), catalogue).add_to(app)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, options.host, options.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        sys.stdout.write(f"The shop is at http://{host}:{port}\n")
        sys.stdout.flush()
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description="A small shop on Holdfast.")
    parser.add_argument("--key-file", type=Path, required=True, help="a file with an API key: scopes read and reserve")
    parser.add_argument("--holdfast", default="http://127.0.0.1:8080", help="where Holdfast is [%(default)s]")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
