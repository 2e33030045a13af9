"""The message ids of orders in columns: one order that several messages report has one id, as in
`features.log.orders`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import polars as pl

from features.events import Kind
from features.log.frame import events_of
from features.log.orders import resolved


def resolved_ids(frame: pl.DataFrame, known: Callable[[Sequence[str]], Collection[str]]) -> pl.Series:
    """The message ids that the events of a frame have in the log; `known` returns those of some that the log has."""
    ids = frame["message_id"]
    orders = ids.str.starts_with("order-")
    if not (orders & (frame["kind"] == int(Kind.PURCHASE)) & frame["order_id"].is_not_null()).any():
        return ids
    places = orders.arg_true()
    events = resolved(events_of(frame[places]), known, None)
    return ids.clone().scatter(places, [event.message_id for event in events])
