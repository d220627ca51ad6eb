"""The channels that most tests publish to; a test file may have others under the same names."""

from collections.abc import AsyncIterator

import pytest

from tests.channels.plain import PlainChannel


@pytest.fixture
async def shop() -> AsyncIterator[PlainChannel]:
    async with PlainChannel() as channel:
        yield channel


@pytest.fixture
async def other() -> AsyncIterator[PlainChannel]:
    async with PlainChannel() as channel:
        yield channel
