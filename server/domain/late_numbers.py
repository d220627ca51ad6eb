"""What becomes of a source's numbers that are too old: they are kept, become less, or count as nothing."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain.channels import MONTH_S


class LateRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which age on numbers are late, and what they are taken for then.

    ``after_s`` 0: never. ``then``: "keep" leaves them, "decay" halves them every ``half_life_s`` seconds from that age
    on, "zero" takes them off sale. Whichever it is, it is told.
    """

    after_s: Annotated[float, Meta(ge=0, le=12 * MONTH_S)] = 0.0
    then: Literal["keep", "decay", "zero"] = "keep"
    half_life_s: Annotated[float, Meta(ge=1, le=12 * MONTH_S)] = 86_400.0

    def is_late(self, age_s: float) -> bool:
        """Whether numbers of this age are late."""
        return self.after_s > 0 and age_s > self.after_s

    def left(self, units: int, age_s: float) -> int:
        """Return what is left of a number of this age; never more than it was."""
        if units <= 0 or not self.is_late(age_s) or self.then == "keep":
            return units
        if self.then == "zero":
            return 0
        return int(units * 0.5 ** ((age_s - self.after_s) / self.half_life_s))
