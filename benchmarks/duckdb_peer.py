"""The replay benchmark's task in DuckDB's SQL, in two versions: straightforward, and regrouped by hand for speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.peer_aggregates import by_kinds, rate, reach, shared_aggregates, window_start
from features.aggregates.base import Aggregate
from features.aggregates.distinct import Distinct
from features.aggregates.times import Age, Fading, Since
from features.aggregates.windows import CountWithin, TotalWithin
from features.events import SECOND, Kind

AT = '"at"'


def connect(threads: int) -> duckdb.DuckDBPyConnection:
    """A database in memory with so many threads; the order of rows is not preserved, which is faster in DuckDB."""
    return duckdb.connect(config={"threads": threads, "preserve_insertion_order": False})


def plain(database: duckdb.DuckDBPyConnection, path: Path, cutoffs: Sequence[int]) -> pa.Table:
    """One query per cutoff, one expression per aggregate (a single query for all cutoffs is slower)."""
    return pa.concat_tables([database.sql(_plain(path, cutoff)).to_arrow_table() for cutoff in cutoffs])


def _plain(path: Path, cutoff: int) -> str:
    values = ", ".join(f"{_value(aggregate, cutoff)} as {aggregate.name}" for aggregate in shared_aggregates())
    return (
        f"select customer, {cutoff} as cutoff, {values} from read_parquet('{path}') "
        f"where received <= {cutoff} group by customer"
    )


def _is_one_of(kinds: tuple[Kind, ...]) -> str:
    return f"kind in ({', '.join(str(int(kind)) for kind in kinds)})"


def _chosen(aggregate: Aggregate, more: str = "") -> str:
    """The filter of an aggregate. A sum skips null by itself."""
    selection = aggregate.selection
    conditions = [_is_one_of(selection.kinds)] if len(selection.kinds) < len(Kind) else []
    if selection.channels:
        conditions.append(f"channel in ({', '.join(str(int(channel)) for channel in selection.channels)})")
    if more:
        conditions.append(more)
    return f"filter (where {' and '.join(conditions)})" if conditions else ""


def _summed(aggregate: Aggregate, more: str = "") -> str:
    column = aggregate.selection.column
    return f"{f'sum({column})' if column else 'count(*)'} {_chosen(aggregate, more)}"


def _faded(aggregate: Fading, now: str) -> str:
    weight = f"exp(({AT} // {SECOND} - {now}) * {rate(aggregate)!r})"
    column = aggregate.selection.column
    return f"sum({f'{column} * {weight}' if column else weight}) {_chosen(aggregate)}"


def _value(aggregate: Aggregate, cutoff: int) -> str:
    """An aggregate at a cutoff, from the events known by then."""
    now = cutoff // SECOND
    match aggregate:
        case Since():
            return f"{now} - max({AT}) {_chosen(aggregate)} // {SECOND}"
        case Age():
            return f"{now} - min({AT}) {_chosen(aggregate)} // {SECOND}"
        case Fading():
            return _faded(aggregate, str(now))
        case CountWithin() | TotalWithin():
            return _summed(aggregate, f"{AT} >= {window_start(aggregate, cutoff)}")
        case Distinct():
            return f"count(distinct {aggregate.selection.column}) {_chosen(aggregate)}"
        case _:
            return _summed(aggregate)


def regrouped(database: duckdb.DuckDBPyConnection, path: Path, cutoffs: Sequence[int]) -> pa.Table:
    """Each event is aggregated once, up to the next cutoff, in a query for its kind; then the parts are added up.

    See `benchmarks.polars_peer.regrouped` for the same plan.
    """
    cutoffs = sorted(cutoffs)
    period = " + ".join(f"(received > {moment})::int" for moment in cutoffs)
    database.execute(f"create or replace temp table periods as {_periods(cutoffs)}")
    known = f"(select *, {period} as period from read_parquet('{path}') where received <= {cutoffs[-1]})"
    queries = []
    for kinds, members in by_kinds(shared_aggregates()).items():
        some = f"(select * from {known}{f' where {_is_one_of(kinds)}' if kinds else ''})"
        parts = [part for aggregate in members for part in _parts(aggregate, cutoffs)]
        if parts:
            queries.append(
                f"select customer, period, {', '.join(parts)} from {some} join periods using (period) group by all"
            )
        queries.extend(_first_times(some, aggregate) for aggregate in members if isinstance(aggregate, Distinct))
    database.execute(f"create or replace temp table parts as {' union all by name '.join(queries)}")
    return database.sql(" union all ".join(_combined(cutoffs, k) for k in range(len(cutoffs)))).to_arrow_table()


def _periods(cutoffs: Sequence[int]) -> str:
    """The values that depend only on the period: its end, and the starts of windows of its cutoff and later ones."""
    rows = []
    for k, moment in enumerate(cutoffs):
        columns = [f"{k} as period", f"{moment // SECOND} as end_"]
        for aggregate in shared_aggregates():
            if isinstance(aggregate, CountWithin | TotalWithin):
                for later in range(reach(aggregate, cutoffs)):
                    start = window_start(aggregate, cutoffs[min(k + later, len(cutoffs) - 1)])
                    columns.append(f"{start} as {aggregate.name}_start_{later}")
        rows.append(f"select {', '.join(columns)}")
    return " union all ".join(rows)


def _parts(aggregate: Aggregate, cutoffs: Sequence[int]) -> list[str]:
    """The sums of one period that an aggregate needs."""
    name = aggregate.name
    match aggregate:
        case Distinct():
            return []
        case Since():
            return [f"max({AT}) {_chosen(aggregate)} // {SECOND} as {name}"]
        case Age():
            return [f"min({AT}) {_chosen(aggregate)} // {SECOND} as {name}"]
        case Fading():
            return [f"{_faded(aggregate, 'periods.end_')} as {name}"]
        case CountWithin() | TotalWithin():
            return [
                f"{_summed(aggregate, f'{AT} >= {name}_start_{later}')} as {name}_{later}"
                for later in range(reach(aggregate, cutoffs))
            ]
        case _:
            return [f"{_summed(aggregate)} as {name}"]


def _first_times(events: str, aggregate: Distinct) -> str:
    """The number of codes that a customer has for the first time in each period."""
    column = aggregate.selection.column
    met = f"(select customer, min(period) {_chosen(aggregate)} as period from {events} group by customer, {column})"
    return f"select customer, period, count(*) as {aggregate.name} from {met} where period is not null group by all"


def _combined(cutoffs: Sequence[int], k: int) -> str:
    """All aggregates at cutoff k, from the parts of its period and those before it."""
    now = cutoffs[k] // SECOND
    values = []
    for aggregate in shared_aggregates():
        name = aggregate.name
        match aggregate:
            case Since():
                value = f"{now} - max({name})"
            case Age():
                value = f"{now} - min({name})"
            case Fading():
                value = f"sum({name} * exp((end_ - {now}) * {rate(aggregate)!r}))"
            case CountWithin() | TotalWithin():
                laters = range(min(k + 1, reach(aggregate, cutoffs)))
                value = " + ".join(
                    f"coalesce(sum({name}_{later}) filter (where period = {k - later}), 0)" for later in laters
                )
            case _:
                value = f"sum({name})"
        values.append(f"{value} as {name}")
    return (
        f"select customer, {cutoffs[k]} as cutoff, {', '.join(values)} "
        f"from parts join periods using (period) where period <= {k} group by customer"
    )
