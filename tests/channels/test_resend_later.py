"""What is resent later comes up in its order, and the cursor stays behind all of it."""

from hypothesis import given
from hypothesis import strategies as st

from server.channels.outbound.resend_later import ResendLater


@given(st.lists(st.one_of(st.integers(1, 9), st.none())))
def test_the_oldest_is_the_smallest_of_all_entries(steps: list[int | None]) -> None:
    """A number adds an entry with this journal id; None takes the next one out."""
    resend_later, ids = ResendLater(), list[tuple[int, int]]()
    for step in steps:
        if step is not None:
            resend_later.add("A", (step, 0), due_s=0.0)
            ids.append((step, 0))
        else:
            taken = resend_later.take(now_s=1.0)
            assert taken == (("A", ids.pop(0)) if ids else None)

        assert resend_later.oldest() == min(ids, default=None)


def test_an_entry_is_not_taken_before_it_is_due() -> None:
    resend_later = ResendLater()
    resend_later.add("A", (1, 0), due_s=60.0)

    assert resend_later.take(now_s=59.9) is None
    assert resend_later.next_due_s() == 60.0
    assert resend_later.take(now_s=60.0) == ("A", (1, 0))
    assert resend_later.next_due_s() == float("inf")
