"""The loops around a fold: steps over events, a sweep over states, a replay over histories.

This is a template: `features/fold/wiring.py` copies the functions into the generated module, where `update` and `read`
are the generated ones. They are written here, and not as text in the generator, to be read and checked as code.
"""

from __future__ import annotations

from typing import Any

from features.aggregates.kernels import FOREVER


def _generated(*arguments: Any) -> None:
    raise TypeError("loops.py is a template for the generated fold; call features.fold.fold.Fold")


update = read = _generated


def step(states: Any, index: int, events: Any, start: int, stop: int) -> None:
    """Fold events[start:stop], of one customer in log order, into states[index]."""
    s = states[index]
    for j in range(start, stop):
        e = events[j]
        update(
            s, e["at"], e["received"], e["kind"], e["channel"], e["item"], e["category"],
            e["quantity"], e["amount"], e["score"],
        )  # fmt: skip


def sweep(states: Any, now: int, out: Any) -> None:
    """Read every state at `now` into the rows of `out`."""
    for i in range(len(states)):
        read(states[i], now, out[i])


def replay(
    events: Any, starts: Any, first: int, last: int, moments: Any, rows: Any, out: Any, states: Any, keep: bool
) -> None:
    """Fold the histories of customers first..last-1, reading each at its own cutoffs (`moments`).

    The events of customer c are events[starts[c]:starts[c + 1]]; its cutoffs, in rising order and none before its first
    event, are moments[rows[c]:rows[c + 1]], and out[r] are the features read at moments[r]. With `keep`, states[c] is
    its final state; else states[0] is scratch, and events after the last cutoff are not read. states[-1] is an empty
    state.
    """
    blank = states[len(states) - 1]
    for c in range(first, last):
        place = c if keep else 0
        states[place] = blank
        s = states[place]
        row, end = rows[c], rows[c + 1]
        stop = starts[c + 1]
        for j in range(starts[c], stop + 1):
            received = events[j]["received"] if j < stop else FOREVER
            while row < end and moments[row] < received:
                read(s, moments[row], out[row])
                row += 1
            if j == stop or (row == end and not keep):
                break
            e = events[j]
            update(
                s, e["at"], e["received"], e["kind"], e["channel"], e["item"], e["category"],
                e["quantity"], e["amount"], e["score"],
            )  # fmt: skip
