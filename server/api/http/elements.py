"""Reading a batch of reservations so that an element that breaks a rule spoils no other."""

from typing import Any, Final

import msgspec
from aiohttp import web

from server.api.http.wire import BodyDecoder
from server.domain.field_faults import Looks
from server.schemas.batches import FaultyReservation, NamedReservation, ReadReservations, ReservationsApart
from server.schemas.reservations import ReserveBody
from server.service.checks import InvalidError, check_reservation_id

_canonical: Final = msgspec.msgpack.Encoder(order="deterministic").encode
_frames: Final = BodyDecoder(ReservationsApart)
_elements: Final = BodyDecoder(ReserveBody)
_names: Final = BodyDecoder(NamedReservation)
_anything: Final = BodyDecoder(Any)


class ReservationsDecoder(BodyDecoder):
    """Decodes a batch at once; where that fails, element by element."""

    def decode(self, request: web.Request, raw: bytes) -> Any:
        """Decode by the request's Content-Type; a faulty element becomes a :class:`FaultyReservation`.

        Raises
        ------
        ProblemError
            As :meth:`BodyDecoder.decode`.
        msgspec.ValidationError
            What holds the elements breaks a rule: a field is unknown, or there are none or too many of them.

        """
        try:
            return self.first_look(request, raw)
        except msgspec.ValidationError:
            frame: ReservationsApart = _frames.decode(request, raw)
            looks = Looks()  # of all elements together, so that many faulty ones take no longer than one
            return ReadReservations([_element(request, bytes(each), looks) for each in frame.reservations])


def _element(request: web.Request, raw: bytes, looks: Looks) -> ReserveBody | FaultyReservation:
    try:
        element: ReserveBody = _elements.first_look(request, raw)
    except msgspec.ValidationError as error:
        seen = _elements.second_look(request, raw, error, looks)
        # What holds the elements was read whole, so that each is what its media type says.
        fault = seen if isinstance(seen, msgspec.ValidationError) else error
        return FaultyReservation(fault, _sent(request, raw), _id_of(request, raw))
    return element


def _sent(request: web.Request, raw: bytes) -> bytes:
    """Return what was sent, the same for the same meaning: order of the names and encoding do not matter."""
    try:
        return _canonical(_anything.decode(request, raw))
    except (TypeError, OverflowError, ValueError):  # names that are no texts have no order; a number is too large
        return raw


def _id_of(request: web.Request, raw: bytes) -> str:
    try:
        named: NamedReservation = _names.first_look(request, raw)
    except msgspec.ValidationError:
        return ""
    try:
        return check_reservation_id("reservation_id", named.reservation_id)
    except InvalidError:
        return ""
