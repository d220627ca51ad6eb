"""Calls off the hot path, through the patient client: one command, several at one moment, or a Lua function.

They raise :class:`~server.store.errors.StoreUnavailableError` if the store did not answer or refused.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from server.store.connection.clients import ConfirmingClient
from server.store.connection.connect_errors import address, unavailable
from server.store.errors import StoreUnavailableError
from server.store.keys import Keyspace
from server.store.lua_library import NOT_LOADED, Function, Library

Words = Sequence[str | bytes | int]


async def command(client: Redis, *words: str | bytes | int) -> Any:
    """Send one command and return its answer as redis-py reads it."""
    try:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]
    except (RedisError, OSError) as error:
        raise _unavailable(client, error) from error


async def together(client: Redis, commands: Sequence[Words]) -> list[Any]:
    """Send several commands in one MULTI: nothing else runs between them."""
    return await _in_one_go(client, commands, is_one=True)


async def in_a_row(client: Redis, commands: Sequence[Words]) -> list[Any]:
    """Send several commands in one go, which costs less than :func:`together`: others may run between them."""
    return await _in_one_go(client, commands, is_one=False)


async def _in_one_go(client: Redis, commands: Sequence[Words], *, is_one: bool) -> list[Any]:
    try:
        async with client.pipeline(transaction=is_one) as pipeline:
            for words in commands:
                pipeline.execute_command(*words)
            return await pipeline.execute()
    except (RedisError, OSError) as error:
        raise _unavailable(client, error) from error


async def run_function(client: Redis, function: Function, keyspace: Keyspace, *arguments: str | bytes | int) -> Any:
    """Run a function on one partition. If the store does not know it, nothing ran: load it and repeat."""
    return await run_on_keys(client, function, keyspace.reserving, *arguments)


async def run_on_keys(client: Redis, function: Function, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
    """As :func:`run_function`, for a function that works on other keys than a partition's stock and its queue."""
    words = ("FCALL", function.call_name, len(keys), *keys, *arguments)
    try:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]
    except ResponseError as error:
        if NOT_LOADED not in str(error):
            raise _unavailable(client, error) from error
        await load(client, function.library)
        return await command(client, *words)
    except (RedisError, OSError) as error:
        raise _unavailable(client, error) from error


def packed_call(function: Function, keys: Sequence[str]) -> bytes:
    """Write a call once that is sent again and again: the library takes longer to pack it than the store to run it."""
    words = [b"FCALL", function.call_name.encode(), b"%d" % len(keys), *(key.encode() for key in keys)]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


async def run_packed(client: Redis, function: Function, call: bytes) -> Any:
    """Run a call that was packed before. If the store does not know the function, load it and repeat."""
    try:
        return await _exchange(client, call)
    except ResponseError as error:
        if NOT_LOADED not in str(error):
            raise _unavailable(client, error) from error
        await load(client, function.library)
        return await _exchange(client, call)
    except (RedisError, OSError) as error:
        raise _unavailable(client, error) from error


async def _exchange(client: Redis, call: bytes) -> Any:
    connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
    try:
        await connection.send_packed_command([call])
        return await connection.read_response()
    except ResponseError:
        raise
    except BaseException:
        await connection.disconnect(nowait=True)  # a reply that is still to come must not meet the next call
        raise
    finally:
        await client.connection_pool.release(connection)


async def run_confirmed(client: Redis, function: Function, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
    """As :func:`run_on_keys`, for a write that must survive a failover: in ``replicated`` mode it needs a replica.

    It must write whenever it returns success: a WAIT covers the writes of its own connection.
    """
    if not isinstance(client, ConfirmingClient) or not client.replicas:
        return await run_on_keys(client, function, keys, *arguments)
    try:
        return await _with_wait(client, ("FCALL", function.call_name, len(keys), *keys, *arguments))
    except StoreUnavailableError as error:
        if NOT_LOADED not in str(error.__cause__):
            raise
        await load(client, function.library)
        return await _with_wait(client, ("FCALL", function.call_name, len(keys), *keys, *arguments))


async def _with_wait(client: ConfirmingClient, words: Words) -> Any:
    try:
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.execute_command(*words)
            pipeline.execute_command("WAIT", client.replicas, int(1000 * client.confirm_s))
            answer, reached = await pipeline.execute()
    except (RedisError, OSError) as error:
        raise _unavailable(client, error) from error
    if int(reached) < client.replicas:
        raise StoreUnavailableError(
            f"Only {reached} of {client.replicas} replicas confirmed in time. Check that they are connected."
        )
    return answer


async def load(client: Redis, library: Library) -> None:
    """Load the library into the store; harmless if it is loaded."""
    await command(client, "FUNCTION LOAD", "REPLACE", library.source)


def _unavailable(client: Redis, error: Exception) -> StoreUnavailableError:
    return unavailable(error, address(client.connection_pool))
