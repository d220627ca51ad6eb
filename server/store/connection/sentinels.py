"""Finds the primary through its sentinels, and after a failover cuts the connections to the old one."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from server.store.connection.address_discovery import WATCH_S, Address, FollowingPool

log = structlog.get_logger("holdfast.store")

ASK_S: Final = 0.5
"""How long a sentinel may take; one that is down must not delay the answer of the others."""


class _Answer(NamedTuple):
    """A sentinel's answer. ``epoch`` grows with each failover, so of two answers the greater is newer."""

    epoch: int
    address: Address


class Sentinels:
    """The sentinels of one primary.

    All of them are asked and the newest answer counts, not the first: a sentinel that was cut off together with an
    old primary would keep naming it.

    Parameters
    ----------
    connect
        One for each sentinel: makes an unconnected connection to it.
    service
        What the sentinels call the primary.
    name
        For messages: the sentinels' addresses and the service.

    """

    asks_role = True

    def __init__(self, connect: Sequence[Callable[[], AbstractConnection]], service: str, name: str) -> None:
        self.name = name
        self._sentinels = [each() for each in connect]
        self._service = service
        self._asking: asyncio.Task[Address] | None = None
        self._known: _Answer | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._pools: list[FollowingPool] = []

    def watch_for(self, pool: FollowingPool) -> None:
        """Cut this pool's connections, too, whenever the primary changes, from the first question on."""
        self._pools.append(pool)

    async def find(self) -> Address:
        """Find the primary; concurrent callers share one answer.

        Raises
        ------
        ConnectionError
            No sentinel answered, or none knows the primary.

        """
        if self._watcher is None and self._pools:
            self._watcher = asyncio.create_task(self._watch(), name="primary-watch")
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all(), name="primary-find")
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Stop watching."""
        tasks = [task for task in (self._watcher, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watcher = None
        for sentinel in self._sentinels:
            await sentinel.disconnect(nowait=True)

    async def _ask_all(self) -> Address:
        answers = await asyncio.gather(*map(self._ask, self._sentinels))
        found = [answer for answer in answers if isinstance(answer, _Answer)]
        if not found:
            raise RedisConnectionError(
                next(
                    (str(answer) for answer in answers),
                    "No sentinel is known.",
                )
            )
        newest = max(found)
        # Never back to an older answer: the sentinels with a newer one may not have answered.
        known = self._known
        if known is None or newest.epoch >= known.epoch:
            await self._learn(newest)
            return newest.address
        return known.address

    async def _learn(self, answer: _Answer) -> None:
        before, self._known = self._known, answer
        if before is not None and before.address != answer.address:
            log.warning("primary_changed", before=_text(before.address), now=_text(answer.address), epoch=answer.epoch)
            for pool in self._pools:
                await pool.cut_all_but(answer.address)

    async def _ask(self, sentinel: AbstractConnection) -> _Answer | Exception:
        try:
            async with asyncio.timeout(ASK_S):
                await sentinel.connect()  # type: ignore[no-untyped-call]
                await sentinel.send_command("SENTINEL", "MASTER", self._service)
                answer: list[bytes] = await sentinel.read_response(disable_decoding=True)
        except ResponseError as error:
            return _explained(error, self._service)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            await sentinel.disconnect(nowait=True)
            return error if str(error) else TimeoutError("No sentinel answered in time.")
        except asyncio.CancelledError:
            await sentinel.disconnect(nowait=True)
            raise
        facts: dict[bytes, bytes] = dict(zip(answer[::2], answer[1::2], strict=True))
        return _Answer(int(facts[b"config-epoch"]), (facts[b"ip"].decode(), int(facts[b"port"])))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            with suppress(RedisError, OSError):  # no sentinel answers: connections stay as they are
                await self.find()


def _explained(error: ResponseError, service: str) -> Exception:
    if "No such master" in str(error):
        return RedisConnectionError(
            f"The sentinels know no primary {service!r}. The path of the URL names it, as in"
            " redis+sentinel://host:26379/mymaster; SENTINEL MASTERS lists the known ones."
        )
    return error


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
