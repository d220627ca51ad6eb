"""Which version of a list was read: by that, a server knows that it is the same still, and need not be sent again."""

import re
from email.utils import formatdate, parsedate_to_datetime
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from adapters.contract.errors import CursorRefusedError
from adapters.contract.http import Answer

SETTLED_S: Final = 60.0
"""A list that was written so shortly before it was sent may be written again within the same second."""
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"', re.ASCII)


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version, as the server names it. ``tag``: its ETag; ``modified``: its Last-Modified; empty: it has none.

    ``is_settled``: it was written long before it was sent, so another one has another time.
    """

    tag: str = ""
    modified: str = ""
    is_settled: bool = False

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Return the version that an answer has."""
        tag = answer.headers.get("etag", "")
        made_s, sent_s = (moment_s(answer.headers.get(name, "")) for name in ("last-modified", "date"))
        return cls(
            tag if _TAG.fullmatch(tag) else "",
            "" if made_s is None else formatdate(made_s, usegmt=True),
            made_s is not None and sent_s is not None and sent_s - made_s >= SETTLED_S,
        )

    @classmethod
    def at(cls, cursor: str) -> Self:
        """Return the version of a cursor.

        Raises
        ------
        CursorRefusedError
            It is none.

        """
        try:
            return msgspec.json.decode(cursor, type=cls)
        except msgspec.MsgspecError:
            raise CursorRefusedError("the feed that was being read is gone") from None

    @property
    def cursor(self) -> str:
        """The cursor of a reading that asks for any other version; empty where the server cannot be asked so."""
        return msgspec.json.encode(self).decode() if self.condition else ""

    @property
    def condition(self) -> dict[str, str]:
        """The headers that ask for any other version."""
        if self.tag:
            return {"If-None-Match": self.tag}
        return {"If-Modified-Since": self.modified} if self.is_settled else {}

    def still(self, answer: Answer) -> Self:
        """Return the same version, as an answer that says so dates it."""
        return replace(self, modified=self.of(answer).modified or self.modified)

    @property
    def made_s(self) -> float | None:
        """When it was made, in seconds since 1970; None: nobody says."""
        return moment_s(self.modified)


def moment_s(text: str) -> float | None:
    """Read a date of a header, in seconds since 1970; None: it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
