"""What types cannot express of texts in a body: names that cannot be one, and what cannot be printed."""

from collections.abc import Callable
from typing import Any, Final, get_args

import msgspec

from server.domain.field_faults import Fault, FaultsError, faults_of
from server.schemas.common import PRINTABLE_SCHEMA, Barcode, Channel, Location, ReservationId, Sku
from server.service.checks import (
    InvalidError,
    check_barcode,
    check_channel,
    check_location,
    check_reservation_id,
    check_sku,
    check_text,
)

Rule = Callable[[str, str], str]


def _meaning(wanted: Any) -> str:
    """Return the description by which a type is known."""
    return next((each.description or "" for each in get_args(wanted)[1:] if isinstance(each, msgspec.Meta)), "")


_NAMES: Final[dict[str, Rule]] = {
    _meaning(Sku): check_sku,
    _meaning(Location): check_location,
    _meaning(Channel): check_channel,
    _meaning(ReservationId): check_reservation_id,
    _meaning(Barcode): check_barcode,
}
"""The checks of names, by what their types say of themselves."""


def check_texts(field: str, value: Any, wanted: Any) -> Fault | None:
    """Look at one value of a body that fits its type, as :data:`server.domain.field_faults.Check`."""
    if not isinstance(value, str):
        return None
    meta = next((each for each in get_args(wanted)[1:] if isinstance(each, msgspec.Meta)), None)
    if meta is None or meta.extra_json_schema != PRINTABLE_SCHEMA:
        return None
    try:
        check = _NAMES.get(meta.description or "")
        if check is not None:
            check(field, value)
        else:
            check_text(field, value, meta.max_length or len(value))
    except InvalidError as error:
        return Fault(error.field, error.rule)
    return None


def with_others(error: Exception, body: Any) -> Exception:
    """Return the error of a body with all its other texts that break a rule; the same error where it is alone."""
    if type(error) is not InvalidError or not isinstance(body, msgspec.Struct):
        return error
    first = Fault(error.field, error.rule)
    found = faults_of(msgspec.to_builtins(body), type(body), check=check_texts, fits=True)
    others = [each for each in found if each.field != first.field]
    return FaultsError([first, *others]) if others else error
