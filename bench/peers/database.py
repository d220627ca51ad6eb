"""One statement at a time on a Postgres database, for what the bench prepares and counts."""

import asyncio
from typing import Any

import asyncpg


def execute(dsn: str, script: str) -> None:
    """Run statements without parameters."""

    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(script)
        finally:
            await connection.close()

    asyncio.run(run())


def value(dsn: str, query: str, *parameters: object) -> Any:
    """Read one value."""

    async def run() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query, *parameters)
        finally:
            await connection.close()

    return asyncio.run(run())
