"""Single figures of ``/metrics``, as a server tells them."""

import asyncio
import re
from collections.abc import Sequence

from server.telemetry.metrics_page import PAGE_LIFE_S
from tests.support.http import Key, Server, opened


async def figure(server: Server, name: str, keys: Sequence[Key] = ()) -> float:
    """Read a metric without labels; of a server with keys with the first one."""
    await asyncio.sleep(PAGE_LIFE_S)  # an earlier page is not shown again
    async with opened(server, keys[0] if keys else None) as api:
        page = (await api.get("/metrics")).ok()
    found = re.search(rf"^{name} ([\d.e+]+)$", page, re.MULTILINE)
    assert found is not None, f"{name} is not there"
    return float(found[1])


async def express_requests(server: Server, keys: Sequence[Key] = ()) -> float:
    """How many requests took the express lane."""
    return await figure(server, "holdfast_http_express_requests_total", keys)
