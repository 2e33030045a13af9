"""The aggregates, as the words of the grammar: `count(PURCHASE, within=days(90))`, `since(PURCHASE)`.

Each word gives an expression that arithmetic and comparison build upon. Words that give several numbers
(`gaps`, `moments`, `net`, `sessions`, `visit`, `cart`, `rhythm`, `stages`) give the aggregate; take a number of it with
`reading(aggregate, "mean")`. A memory (`recent`, `cart`, `stages`) is declared as the aggregate itself.
"""

from __future__ import annotations

from features.aggregates.base import Aggregate, Reading, Row
from features.aggregates.cart import Cart
from features.aggregates.counts import Count, Moments, Total
from features.aggregates.distinct import Distinct
from features.aggregates.memory import Favourites, Recent
from features.aggregates.net import Net
from features.aggregates.rhythm import Rhythm
from features.aggregates.sessions import Sessions
from features.aggregates.stages import Stages
from features.aggregates.tempo import Gaps, Newest
from features.aggregates.times import Age, Earliest, Fading, Latest, Since
from features.aggregates.visit import Visit
from features.aggregates.windows import CountWithin, DaysWithin, TotalWithin
from features.events import CART_ADD, CART_REMOVE, ORDER_CANCEL, PURCHASE, REFUND, Kind, Selection, any_of
from features.grammar import Expr

__all__ = [
    "AGGREGATES",
    "Aggregate",
    "Reading",
    "Row",
    "active_days",
    "age",
    "cart",
    "count",
    "distinct",
    "earliest",
    "fading",
    "favourites",
    "gaps",
    "happened",
    "latest",
    "moments",
    "net",
    "newest",
    "reading",
    "recent",
    "rhythm",
    "sessions",
    "since",
    "stages",
    "total",
    "visit",
]  # fmt: skip

AGGREGATES: tuple[type[Aggregate], ...] = (
    Count, CountWithin, DaysWithin, Total, TotalWithin, Net, Moments, Since, Age, Latest, Earliest, Fading, Gaps,
    Newest, Distinct, Sessions, Visit, Cart, Stages, Recent, Favourites, Rhythm,
)  # fmt: skip
"""Every aggregate."""


def _selection(what: Kind | Selection, *, column: bool = False) -> Selection:
    selection = what.selection if isinstance(what, Kind) else what
    if column and not selection.column:
        raise ValueError(f"take a column of {selection}, such as PURCHASE.amount")
    return selection


def count(what: Kind | Selection, *, within: int | None = None) -> Expr:
    """How many events, ever or within the last `within` microseconds."""
    selection = _selection(what)
    return Reading(Count(selection) if within is None else CountWithin(selection, within))


def total(what: Selection, *, within: int | None = None) -> Expr:
    """The sum of a column, ever or within the last `within` microseconds."""
    selection = _selection(what, column=True)
    return Reading(Total(selection) if within is None else TotalWithin(selection, within))


def happened(what: Kind | Selection) -> Expr:
    """Whether it ever happened."""
    return count(what) > 0


def since(what: Kind | Selection) -> Expr:
    """Microseconds since the latest event; NaN when there was none."""
    return Reading(Since(_selection(what)))


def age(what: Kind | Selection) -> Expr:
    """Microseconds since the first event; NaN when there was none."""
    return Reading(Age(_selection(what)))


def latest(what: Selection) -> Expr:
    """A column of the latest event."""
    return Reading(Latest(_selection(what, column=True)))


def earliest(what: Selection) -> Expr:
    """A column of the first event."""
    return Reading(Earliest(_selection(what, column=True)))


def fading(what: Kind | Selection, *, half_life: int) -> Expr:
    """Events (or a column of them) summed with weights that halve every `half_life` microseconds."""
    return Reading(Fading(_selection(what), half_life))


def distinct(what: Selection, *, bits: int = 256) -> Expr:
    """How many different items or categories, estimated."""
    return Reading(Distinct(_selection(what, column=True), bits))


def moments(what: Selection) -> Aggregate:
    """Readings `mean` and `deviation` of a column."""
    return Moments(_selection(what, column=True))


def active_days(what: Kind | Selection, *, within: int) -> Expr:
    """On how many different days it happened within the last `within` microseconds."""
    return Reading(DaysWithin(_selection(what), within))


def gaps(what: Kind | Selection, *, least: int = 0) -> Aggregate:
    """Days to the next event; readings `number mean deviation longest recent log_mean log_deviation`."""
    return Gaps(_selection(what), least)


def net(*, within: int) -> Aggregate:
    """Readings `ever` and `within`: the money of orders less what refunds and cancellations took back."""
    return Net(any_of(PURCHASE, REFUND, ORDER_CANCEL), within)


def newest(what: Kind | Selection) -> Aggregate:
    """Readings `second`, `third` and `fifth`: microseconds since the second, third and fifth latest event."""
    return Newest(_selection(what))


def sessions(what: Selection, *, gap: int) -> Aggregate:
    """Readings `number`, `depth`, `mean_depth`, `mean_minutes`, `bounce_rate` and `age` of visits."""
    return Sessions(what, gap)


def visit(what: Selection, *, gap: int) -> Aggregate:
    """Readings `cart_adds`, `orders`, `item_returns`, `category_returns` and `ordered_before` of the open visit."""
    return Visit(what, gap)


def cart(*, size: int) -> Aggregate:
    """Readings `lines`, `pieces`, `value` and `age` of the open cart; a memory of the items in it."""
    return Cart(any_of(CART_ADD, CART_REMOVE, PURCHASE), size)


def stages(what: Selection) -> Aggregate:
    """Readings `current`, `previous` and `time`; a memory of all transitions."""
    return Stages(what)


def rhythm(what: Selection) -> Aggregate:
    """Readings `weekend`, `evening`, `weekday_now`, `hour_regularity` and `weekday_regularity`."""
    return Rhythm(what)


def recent(what: Selection, *, size: int) -> Aggregate:
    """A memory: the latest time of each of the last `size` different items or categories."""
    return Recent(_selection(what, column=True), size)


def favourites(what: Selection, *, size: int, half_life: int) -> Aggregate:
    """A memory: the `size` items or categories that weigh most, each event's weight halving every `half_life`."""
    return Favourites(_selection(what, column=True), size, half_life)


def reading(aggregate: Aggregate, name: str) -> Expr:
    """One number of an aggregate that gives several."""
    kernel = f"read_{name}"
    if kernel not in aggregate.reading_kernels():
        known = ", ".join(kernel_name.removeprefix("read_") for kernel_name in aggregate.reading_kernels())
        raise ValueError(f"{type(aggregate).__name__} has no reading '{name}'; it has: {known}")
    return Reading(aggregate, kernel)
