"""Which line a change of what is available crosses: low, out, back, or promised beyond what there is."""

from typing import Final, Literal

Alert = Literal["stock.low", "stock.out", "stock.back", "shortage.opened"]
ALERTS: Final[tuple[Alert, ...]] = ("stock.low", "stock.out", "stock.back", "shortage.opened")


def crossed(was: int, now: int, reorder_point: int) -> tuple[Alert, ...]:
    """Tell what crossing from ``was`` to ``now`` units available raises; nothing for most changes.

    Each line is crossed in one direction only, so it is told again only after the other side was reached: ``stock.low``
    after there was more than the reorder point, ``stock.out`` after there was something. A fall through both tells
    the greater one.
    """
    if was > now:
        if was > 0 >= now:
            return ("stock.out",) if now == 0 else ("stock.out", "shortage.opened")
        if was == 0:
            return ("shortage.opened",)
        if was > reorder_point >= now > 0:
            return ("stock.low",)
    elif was <= 0 < now:
        return ("stock.back",)
    return ()
