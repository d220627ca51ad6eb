"""How long a read past the batcher may take."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from server.store.errors import StoreUnavailableError

Answer = TypeVar("Answer")


READ_TIMEOUT_S: Final = 2.0
"""Reads past the batcher look for a quarter of a second at most; a store that takes so long hangs."""


async def in_time(reading: Awaitable[Answer]) -> Answer:
    """Await what is read through the patient client, which would wait for ever.

    Raises
    ------
    StoreUnavailableError
        The store did not answer within :data:`READ_TIMEOUT_S`.

    """
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            return await reading
    except TimeoutError:
        raise StoreUnavailableError("The store does not answer; try again.") from None


REPORT_TIMEOUT_S: Final = 30.0
"""A whole catalogue over a quarter is some seconds' reading."""


async def in_report_time(
    reading: Awaitable[Answer], advice: str = "The report takes too long; ask for fewer days, or for one SKU."
) -> Answer:
    """Await what reads much.

    Raises
    ------
    StoreUnavailableError
        It took longer than :data:`REPORT_TIMEOUT_S`; the message is the ``advice``.

    """
    try:
        async with asyncio.timeout(REPORT_TIMEOUT_S):
            return await reading
    except TimeoutError:
        raise StoreUnavailableError(advice) from None
