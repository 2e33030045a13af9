"""Of whom a question is: the customers with some acts and without others, in its period."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from insights.journal.acts import Row, enough, matches, tables
from insights.journal.columns import Journal
from insights.journal.question import Customers, Period


def chosen(journal: Journal, customers: Customers, period: Period) -> NDArray[np.bool_] | None:
    """Which customers of the journal meet the conditions in the period; None where there are no conditions."""
    if not customers.acts:
        return None
    out = np.zeros(len(journal.customers), np.bool_)
    start, end = period.seconds
    wanted = (1 << len(customers.having)) - 1
    columns = (journal.starts, journal.at, journal.kind, journal.channel, journal.amount, *tables(customers.acts))
    journal.over_customers(lambda first, last: _chosen(first, last, *columns, wanted, start, end, out))
    return out


@njit(cache=True, nogil=True)
def _chosen(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, channel, amount, kinds, channels, least, wanted, start, end, out,
):  # fmt: skip
    """Mark those of customers first..last-1 who did the acts of the bits `wanted`, and none of the other acts."""
    for c in range(first, last):
        seen = 0
        for i in range(starts[c], starts[c + 1]):
            matched = kinds[kind[i]] & channels[channel[i]]
            if not matched or at[i] < start or at[i] >= end:
                continue
            for act in range(len(least)):
                if matched >> act & 1 and enough(amount[i], least[act]):
                    seen |= 1 << act
        out[c] = seen == wanted


def meaning(rows: Sequence[Row], customers: Customers, period: Period) -> bool:
    """Whether a customer with these events meets the conditions, in plain Python."""
    start, end = period.seconds
    own = [row for row in rows if start <= row[0] < end]
    having = all(any(matches(act, row) for row in own) for act in customers.having)
    return having and not any(matches(act, row) for act in customers.lacking for row in own)
