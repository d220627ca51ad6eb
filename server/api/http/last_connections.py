"""Closes a port without resetting who has just connected: Linux resets what a closed socket had not accepted yet.

A filter on the socket drops what would open one more connection, and lets all else through. The caller's system sends
its packet again after a second. By then it is refused, or reaches another process that listens on the same port.
"""

import ctypes
import os
import socket
import struct
import sys
from typing import Final

_SO_ATTACH_FILTER: Final = 26
_FLAGS_AT: Final = 13
"""The byte of a TCP header that has the flags."""
_SYN: Final = 0x02
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_ALL: Final = 0xFFFF_FFFF
_PROGRAM: Final = (
    (_LOAD_BYTE, 0, 0, _FLAGS_AT),
    (_JUMP_IF_SET, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, _ALL),
)


def let_nobody_new_in(descriptor: int) -> bool:
    """Have a listening socket complete and keep the connections that have begun, and begin no other one.

    Returns whether this system can.
    """
    if sys.platform != "linux":
        return False
    instructions = b"".join(struct.pack("HBBI", *each) for each in _PROGRAM)
    program = ctypes.create_string_buffer(instructions, len(instructions))
    with socket.socket(fileno=os.dup(descriptor)) as listening:
        try:
            listening.setsockopt(
                socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_PROGRAM), ctypes.addressof(program))
            )
        except OSError:
            return False  # a sandbox without filters: a few callers may be reset
    return True
