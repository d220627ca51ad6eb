"""What the program at the other end of a connection within this machine has not read yet, as the kernel tells it."""

import asyncio
from pathlib import Path
from typing import Final

from adapters.testing.waiting import wait_until

_TABLE: Final = Path("/proc/net/tcp")


def unread_bytes(writer: asyncio.StreamWriter) -> int:
    """Return how many bytes that were written lie in the kernel, on either side; 0 as well where it has hung up."""
    here, there = writer.get_extra_info("sockname")[1], writer.get_extra_info("peername")[1]
    found = 0
    for line in _TABLE.read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        sent, received = (int(each, 16) for each in queues.split(":"))
        ports = _port(local), _port(remote)
        found += sent if ports == (here, there) else received if ports == (there, here) else 0
    return found


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


async def until_read(writer: asyncio.StreamWriter) -> None:
    """Wait until all that was written has been read: what is written next reaches the program by itself."""
    await writer.drain()
    await wait_until(
        lambda: not writer.transport.get_write_buffer_size() and not unread_bytes(writer), "the other side has read it"
    )
