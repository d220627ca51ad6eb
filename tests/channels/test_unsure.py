"""What a publisher that has lost its lease reports: every SKU of which a request of its own may still take effect."""

from server.channels.outbound.pending import Pending, Queue
from server.channels.outbound.resend_later import ResendLater


def test_what_is_in_flight_or_had_no_answer_is_reported_and_what_only_waits_is_not() -> None:
    pending = Pending()
    for sku in ("waits", "flies", "unanswered"):
        pending.add(sku, (1, 0), 0, Queue.READY)
    pending.send("flies")
    pending.send("unanswered")
    pending.requeue("unanswered", Queue.DELAYED, due_s=5.0).maybe_applied = True

    assert pending.unsure() == {"flies", "unanswered"}


def test_what_is_to_be_sent_once_more_is_reported_until_it_was() -> None:
    later = ResendLater()
    later.add("A", (1, 0), 10.0)
    later.add("B", (2, 0), 20.0)
    assert list(later.keys()) == ["A", "B"]

    later.take(10.0)

    assert list(later.keys()) == ["B"]
