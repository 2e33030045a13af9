"""The replay benchmark's task in Polars, in two versions: straightforward, and regrouped by hand for speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.peer_aggregates import by_kinds, rate, reach, shared_aggregates, window_start
from features.aggregates.base import Aggregate
from features.aggregates.counts import Count
from features.aggregates.distinct import Distinct
from features.aggregates.times import Age, Fading, Since
from features.aggregates.windows import CountWithin, TotalWithin
from features.events import SECOND, Kind


def plain(path: Path, cutoffs: Sequence[int]) -> pl.DataFrame:
    """One streaming query per cutoff, one expression per aggregate (a single query for all cutoffs is slower)."""
    return pl.concat([_plain(path, cutoff) for cutoff in cutoffs])


def _plain(path: Path, cutoff: int) -> pl.DataFrame:
    events = pl.scan_parquet(path).filter(pl.col("received") <= cutoff)
    query = events.group_by("customer").agg(
        [_value(aggregate, cutoff).alias(aggregate.name) for aggregate in shared_aggregates()]
    )
    return query.with_columns(cutoff=pl.lit(cutoff)).collect(engine="streaming")


def _is_one_of(kinds: tuple[Kind, ...]) -> pl.Expr:
    return pl.col("kind") == int(kinds[0]) if len(kinds) == 1 else pl.col("kind").is_in([int(kind) for kind in kinds])


def _chosen(aggregate: Aggregate) -> pl.Expr:
    """The events an aggregate listens to. A sum skips null by itself."""
    selection = aggregate.selection
    condition = _is_one_of(selection.kinds) if len(selection.kinds) < len(Kind) else pl.lit(True)
    channels = [int(channel) for channel in selection.channels]
    return condition & pl.col("channel").is_in(channels) if channels else condition


def _summed(aggregate: Aggregate, chosen: pl.Expr) -> pl.Expr:
    column = aggregate.selection.column
    return pl.when(chosen).then(pl.col(column)).sum() if column else chosen.sum()


def _value(aggregate: Aggregate, cutoff: int) -> pl.Expr:
    """An aggregate at a cutoff, from the events known by then."""
    chosen, now = _chosen(aggregate), cutoff // SECOND
    seconds = pl.when(chosen).then(pl.col("at") // SECOND)
    match aggregate:
        case Since():
            return now - seconds.max()
        case Age():
            return now - seconds.min()
        case Fading():
            return _faded(aggregate, chosen, pl.lit(now)).sum()
        case CountWithin() | TotalWithin():
            return _summed(aggregate, chosen & (pl.col("at") >= window_start(aggregate, cutoff)))
        case Distinct():
            return pl.when(chosen).then(pl.col(aggregate.selection.column)).drop_nulls().n_unique()
        case _:
            return _summed(aggregate, chosen)


def _faded(aggregate: Fading, chosen: pl.Expr, now: pl.Expr) -> pl.Expr:
    weight = ((pl.col("at") // SECOND - now) * rate(aggregate)).exp()
    column = aggregate.selection.column
    return pl.when(chosen).then(weight * pl.col(column) if column else weight)


def regrouped(path: Path, cutoffs: Sequence[int]) -> pl.DataFrame:
    """Each event is aggregated once, up to the next cutoff, in a query for its kind; then the parts are added up.

    The numbers are the same, but the expressions are harder to read: a fading sum is kept as of the next cutoff and
    decayed to the later ones, a window as one sum for each later cutoff that it can reach, and a distinct count as the
    number of codes that occur for the first time.
    """
    cutoffs = sorted(cutoffs)
    period = pl.sum_horizontal([(pl.col("received") > moment).cast(pl.Int32) for moment in cutoffs])
    events = pl.scan_parquet(path).filter(pl.col("received") <= cutoffs[-1]).with_columns(period=period)
    periods = _periods(cutoffs)
    queries = []
    for kinds, members in by_kinds(shared_aggregates()).items():
        some = events.filter(_is_one_of(kinds)) if kinds else events
        parts = [part for aggregate in members for part in _parts(aggregate, cutoffs)]
        if parts:
            queries.append(some.join(periods, on="period").group_by("customer", "period").agg(parts))
        queries.extend(_first_times(some, aggregate) for aggregate in members if isinstance(aggregate, Distinct))
    frames = pl.concat(pl.collect_all(queries, engine="streaming"), how="diagonal").lazy()
    parts_of_all = frames.join(periods.select("period", "end"), on="period")
    return pl.concat(pl.collect_all([_combined(parts_of_all, cutoffs, k) for k in range(len(cutoffs))]))


def _periods(cutoffs: Sequence[int]) -> pl.LazyFrame:
    """The values that depend only on the period: its end, and the starts of windows of its cutoff and later ones."""
    numbers = range(len(cutoffs))
    columns = {"period": list(numbers), "end": [moment // SECOND for moment in cutoffs]}
    for aggregate in shared_aggregates():
        if isinstance(aggregate, CountWithin | TotalWithin):
            for later in range(reach(aggregate, cutoffs)):
                starts = [window_start(aggregate, cutoffs[min(k + later, len(cutoffs) - 1)]) for k in numbers]
                columns[f"{aggregate.name}@{later}"] = starts
    return pl.LazyFrame(columns, schema_overrides={"period": pl.Int32})


def _parts(aggregate: Aggregate, cutoffs: Sequence[int]) -> list[pl.Expr]:
    """The sums of one period that an aggregate needs."""
    chosen, name = _chosen(aggregate), aggregate.name
    seconds = pl.when(chosen).then(pl.col("at") // SECOND)
    match aggregate:
        case Distinct():
            return []
        case Since():
            return [seconds.max().alias(name)]
        case Age():
            return [seconds.min().alias(name)]
        case Fading():
            return [_faded(aggregate, chosen, pl.col("end")).sum().alias(name)]
        case CountWithin() | TotalWithin():
            names = [f"{name}@{later}" for later in range(reach(aggregate, cutoffs))]
            # A column of the period has the same name as the sum over it.
            return [_summed(aggregate, chosen & (pl.col("at") >= pl.col(column))).alias(column) for column in names]
        case _:
            return [_summed(aggregate, chosen).alias(name)]


def _first_times(events: pl.LazyFrame, aggregate: Distinct) -> pl.LazyFrame:
    """The number of codes that a customer has for the first time in each period."""
    column = aggregate.selection.column
    met = (
        events.filter(_chosen(aggregate) & pl.col(column).is_not_null())
        .group_by("customer", column)
        .agg(pl.col("period").min())
    )
    return met.group_by("customer", "period").agg(pl.len().alias(aggregate.name))


def _combined(parts: pl.LazyFrame, cutoffs: Sequence[int], k: int) -> pl.LazyFrame:
    """All aggregates at cutoff k, from the parts of its period and those before it."""
    now = cutoffs[k] // SECOND
    values: list[pl.Expr] = []
    for aggregate in shared_aggregates():
        match aggregate:
            case Since():
                value = now - pl.col(aggregate.name).max()
            case Age():
                value = now - pl.col(aggregate.name).min()
            case Fading():
                value = (pl.col(aggregate.name) * ((pl.col("end") - now) * rate(aggregate)).exp()).sum()
            case CountWithin() | TotalWithin():
                laters = range(min(k + 1, reach(aggregate, cutoffs)))
                value = pl.sum_horizontal(
                    [
                        pl.when(pl.col("period") == k - later).then(pl.col(f"{aggregate.name}@{later}")).sum()
                        for later in laters
                    ]
                )
            case Count() | _:
                value = pl.col(aggregate.name).sum()
        values.append(value.alias(aggregate.name))
    known = parts.filter(pl.col("period") <= k).group_by("customer").agg(values)
    return known.with_columns(cutoff=pl.lit(cutoffs[k]))
