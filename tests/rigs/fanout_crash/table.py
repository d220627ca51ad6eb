"""Shows what a crash run came to."""

from typing import Final

from tests.rigs.fanout_crash.driver import Round, Run

HEAD: Final = f"{'round':>5} {'mode':<9} {'kills':>5} {'pushed':>7} {'checked':>7} {'wrong':>5} {'right after':>11}"


def row(each: Round) -> str:
    """Show one round."""
    return (
        f"{each.number:>5} {each.mode:<9} {each.kills:>5} {each.pushed:>7} {each.checked:>7} {len(each.wrong):>5} "
        f"{each.right_s:>9.2f} s"
    )


def table(run: Run) -> str:
    """Show the rounds and their sums."""
    return "\n".join([HEAD, *map(row, run.rounds), *sums(run)])


def sums(run: Run) -> list[str]:
    """Show what the rounds came to together."""
    kills, pushed, checked, wrong = (
        sum(column) for column in zip(*((r.kills, r.pushed, r.checked, len(r.wrong)) for r in run.rounds), strict=True)
    )
    longest_s = max(each.right_s for each in run.rounds)
    return [
        f"{'sum':>5} {'':<9} {kills:>5} {pushed:>7} {checked:>7} {wrong:>5} {longest_s:>9.2f} s at most",
        (
            f"{run.changes} changes; {run.ordered} values that took effect held against their order; "
            f"{run.rounds[-1].lost_tickets} tickets lost on the way, {run.refused_copies} copies refused; "
            f"other faults: {len(run.faults)}"
        ),
    ]
