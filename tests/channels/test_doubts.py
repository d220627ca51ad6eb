"""ResendLater come up again in their order, and the cursor stays behind all that are open."""

from hypothesis import given
from hypothesis import strategies as st

from server.channels.outbound.resend_later import ResendLater


@given(st.lists(st.one_of(st.integers(1, 9), st.none())))
def test_the_oldest_is_the_smallest_of_all_that_are_open(steps: list[int | None]) -> None:
    """A number adds a doubt with this journal id; None takes the next one out."""
    doubts, open_ids = ResendLater(), list[tuple[int, int]]()
    for step in steps:
        if step is not None:
            doubts.add("A", (step, 0), due_s=0.0)
            open_ids.append((step, 0))
        else:
            taken = doubts.take(now_s=1.0)
            assert taken == (("A", open_ids.pop(0)) if open_ids else None)

        assert doubts.oldest() == min(open_ids, default=None)


def test_a_doubt_is_not_taken_before_it_is_due() -> None:
    doubts = ResendLater()
    doubts.add("A", (1, 0), due_s=60.0)

    assert doubts.take(now_s=59.9) is None
    assert doubts.next_due_s() == 60.0
    assert doubts.take(now_s=60.0) == ("A", (1, 0))
    assert doubts.next_due_s() == float("inf")
