"""A network that is slow, or is lost: requests wait until the test lets them go."""

import asyncio

from playwright.async_api import Route

from tests.console.pages import SOON_MS


class Held:
    """Requests that reach the server when the test lets them: a slow network, or one that is lost."""

    def __init__(self) -> None:
        self._go = asyncio.Event()
        self._asked = asyncio.Event()
        self._lost = False

    async def __call__(self, route: Route) -> None:
        self._asked.set()
        await self._go.wait()
        await (route.abort() if self._lost else route.continue_())

    async def asked(self) -> None:
        await asyncio.wait_for(self._asked.wait(), SOON_MS / 1000)

    def go(self, *, lost: bool = False) -> None:
        self._lost = lost
        self._go.set()
