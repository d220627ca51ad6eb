"""What a browser's token may ask, or a key of one channel: nothing beyond that channel, and the token's SKUs."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from server.domain.principal import Principal
from server.domain.spelling import normal
from server.service.problems import ProblemError, problem

QueryT = TypeVar("QueryT", bound=msgspec.Struct)

_OTHER_CHANNEL: Final = "This {0} reads what the channel {1} can reserve. Leave `channel` out, or use another {0}."
_OTHER_SKUS: Final = "This token is for other SKUs. Get one that names these."


def in_reach(principal: Principal, query: QueryT) -> QueryT:
    """Return a query, or a body, as it is within the reach of whoever asks: with the channel of their token or key.

    Raises
    ------
    ProblemError
        It names another channel.

    """
    if principal.reach is None or not principal.reach.channel:
        return query
    fields: Any = query
    kind = "token" if principal.reach.until_s else "key"
    if fields.channel is not None and normal(fields.channel) != principal.reach.channel:
        raise ProblemError(problem("forbidden", _OTHER_CHANNEL.format(kind, principal.reach.channel)))
    return msgspec.structs.replace(query, channel=principal.reach.channel)


def check_skus_in_reach(principal: Principal, skus: Iterable[str]) -> None:
    """Refuse SKUs beyond the reach of whoever asks.

    Raises
    ------
    ProblemError
        One of them is.

    """
    reach = principal.reach
    if reach is not None and reach.skus and not reach.skus.issuperset(skus):
        raise ProblemError(problem("forbidden", _OTHER_SKUS))
