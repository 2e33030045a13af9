"""The data of a training run: the log up to a time, ready to be replayed."""

from __future__ import annotations

from dataclasses import dataclass

from features.fold.fold import Fold
from features.log.contract import EventLog
from features.replay.snapshots import Past, read_past
from training.rows.dataset import content_digest, willing


@dataclass(frozen=True, eq=False)
class Shop:
    """The data of a run: the log from `start` to `end`, ready to be replayed; `items` are names by code.

    `digest` identifies exactly these events and merges, and `offset` is no later than the last of the events.
    """

    fold: Fold
    past: Past
    items: list[str]
    start: int
    end: int
    offset: int
    digest: str


def read_shop(log: EventLog, now: int | None, started: int, fold: Fold) -> Shop:
    """The log up to `now`, without customers who have withdrawn the consent to profiling by then.

    The offset is read before the events, so that it is no later than the last of them. Where `now` leaves events out,
    it is at most the number of events.
    """
    offset = log.offset()
    past = read_past(log, now)
    number, items = past.count, log.items.names()
    received = [events["received"] for events in past.parts if len(events)]
    start = min((int(times.min()) for times in received), default=started if now is None else now)
    end = max((int(times.max()) for times in received), default=start)
    last = offset if number >= log.count() else min(offset, number)
    past = willing(fold, past, end)
    return Shop(fold, past, items, start, end, last, content_digest(past, log.customers.names(), items))
