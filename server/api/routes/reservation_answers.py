"""From the ledger's answers about reservations to what is sent."""

from msgspec.structs import replace

from server.api.http.answer import Answer
from server.domain.answers import ReservationAnswer
from server.domain.reservation import Changed
from server.schemas.problems import Problem
from server.schemas.reservations import ReservationView, left_views, reservation_view
from server.service.caller import Partition
from server.service.problems import refusal_of


def answer_reservation(
    operation: str, reservation_id: str, answer: ReservationAnswer
) -> Answer[ReservationView] | Problem:
    """Show what came of an operation on a reservation."""
    if type(answer) is Changed:
        view = reservation_view(reservation_id, answer.reservation, left_views(answer, operation))
        if not view.lines:  # only a tombstone has none
            return Answer(view, "replayed" if answer.replayed else "remembered", status=202)
        return Answer(view, "replayed" if answer.replayed else answer.reservation.state)
    assert not isinstance(answer, Changed)  # noqa: S101  # for the types; it costs nothing where it counts
    return refusal_of(operation, answer, reservation_id)


def marked(view: ReservationView, partition: Partition) -> ReservationView:
    """Mark what is of a channel that is neither configured nor named in the setting, where some are configured.

    A cancel that is remembered has no channel yet.
    """
    is_marked = partition.channels and view.channel and not partition.is_meant(view.channel)
    return replace(view, unconfigured_channel=True) if is_marked else view
