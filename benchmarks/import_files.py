"""Importing large files into the default store, beside DuckDB sorting the same file into Parquet.

    python -m benchmarks.import_files [--rows 10_000_000] [--files csv jsonl ga4 table] [--rounds 3]

`--rows` are those of the CSV in REES46's form; the other files are in proportion (`FILES`). All are made in a temporary
folder (`benchmarks.shop_files`). An import runs in a new process and into a new store, as `waypost import` does: every
record is read, checked, given its id, looked for in the log, and lies sorted by customer in the history. DuckDB, with
as many threads, writes the rows sorted by customer and time as Parquet with zstd, in a new process as well.

Before anything is printed the counts by kind must agree: those that DuckDB has of the file, those of a scan of the log,
and those that DuckDB and Polars read from the folder of the history, with what stayed in the database.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import polars as pl

from benchmarks import fresh, shop_files
from benchmarks.report import print_claims, print_table
from features.cores import thread_count
from features.events import Kind
from features.log import open_log

Counts = Counter[str]


@dataclass(frozen=True)
class File:
    """A form of file, and what DuckDB does with it."""

    source: str
    title: str
    share: float
    """How many rows it has, relative to the CSV."""
    write: Callable[[Path, int], None]
    read: str
    """The table of DuckDB; `{}` is the path."""
    order: str
    """Its columns of the customer and the time."""
    kinds: str
    """SQL of the kind of an event and the number of events that a row makes of it, for each row."""
    mapping: str | None = None


_LINES = "read_json('{}', format = 'newline_delimited')"

FILES = {
    "csv": File(
        "rees46", "REES46, CSV", 1, shop_files.write_rees46, "read_csv('{}')", "user_id, event_time",
        "select map {{'view': 'ITEM_VIEW', 'cart': 'CART_ADD', 'remove_from_cart': 'CART_REMOVE', "
        "'purchase': 'PURCHASE'}}[event_type] as kind, 1 as number from {table} "
        "union all select 'PURCHASED_ITEM', 1 from {table} where event_type = 'purchase'",
    ),
    "jsonl": File(
        "segment", "Segment, JSON lines", 0.2, shop_files.write_segment, _LINES, "anonymousId, timestamp",
        "select coalesce(map {{'Product Viewed': 'ITEM_VIEW', 'Products Searched': 'SEARCH', "
        "'Product Added': 'CART_ADD', 'Checkout Started': 'CHECKOUT_START', 'Order Completed': 'PURCHASE'}}[event], "
        "map {{'page': 'PAGE_VIEW', 'identify': 'IDENTIFY'}}[type]) as kind, 1 as number from {table} "
        "union all select 'PURCHASED_ITEM', len(properties.products) from {table} where event = 'Order Completed' "
        # The first order of a user on a device says, too, that both ids are one customer.
        "union all select 'IDENTIFY', count(distinct (userId, anonymousId)) from {table} "
        "where event = 'Order Completed' and userId is not null",
    ),
    "ga4": File(
        "ga4", "GA4, JSON lines", 0.05, shop_files.write_ga4, _LINES, "user_pseudo_id, event_timestamp",
        "select map {{'page_view': 'PAGE_VIEW', 'view_item': 'ITEM_VIEW', 'add_to_cart': 'CART_ADD', "
        "'purchase': 'PURCHASE'}}[event_name] as kind, 1 as number from {table} "
        "union all select 'PURCHASED_ITEM', len(items) from {table} where event_name = 'purchase'",
    ),
    "table": File(
        "mapping", "a mapping, CSV", 0.2, shop_files.write_table, "read_csv('{}')", "client, sold_at",
        "select map {{'look': 'ITEM_VIEW', 'basket': 'CART_ADD', 'sale': 'PURCHASE'}}[action] as kind, 1 as number "
        "from {table} union all select 'PURCHASED_ITEM', 1 from {table} where action = 'sale'",
        shop_files.MAPPING,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What the rounds of one file gave."""

    own: list[dict[str, float]]
    peer: list[dict[str, float]]
    size: int
    """Bytes of the file."""
    stored: int
    """Bytes of the database and its history."""

    @property
    def seconds(self) -> float:
        """Of an import."""
        return median(run["seconds"] for run in self.own)

    @property
    def ratio(self) -> float:
        """The time of an import to that of DuckDB."""
        return median(own["seconds"] / peer["seconds"] for own, peer in zip(self.own, self.peer, strict=True))

    @property
    def peak(self) -> float:
        """The most bytes of the process, and of as many workers as there may be, were all as large as the largest."""
        return max(run["peak"] + run["worker_peak"] * thread_count(None) for run in self.own)


def main() -> None:
    """Compare, measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--files", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    measured = {}
    for name in asked.files:
        with tempfile.TemporaryDirectory() as folder:
            measured[name] = _measured(
                FILES[name], max(int(asked.rows * FILES[name].share), 1), asked.rounds, Path(folder)
            )
    _report(measured)


def _measured(file: File, rows: int, rounds: int, folder: Path) -> Measured:
    path, sorted_file = folder / f"rows.{'csv' if 'csv' in file.read else 'jsonl'}", folder / "sorted.parquet"
    file.write(path, rows)
    mapping = []
    if file.mapping:
        mapping = [str(folder / "mapping.toml")]
        Path(*mapping).write_text(file.mapping, encoding="utf-8")
    table = file.read.format(path)
    query = f"copy (select * from {table} order by {file.order}) to '{sorted_file}' (format parquet, compression zstd)"
    own, peer = [], []
    for number in range(rounds):
        place = folder / f"store-{number}" / "waypost.db"
        place.parent.mkdir()
        own.append(fresh.run("import", str(place), str(path), file.source, *mapping))
        peer.append(fresh.run("duckdb", query))
    _check(place, file.kinds.format(table=table))
    stored = sum(part.stat().st_size for part in place.parent.rglob("*") if part.is_file())
    return Measured(own, peer, path.stat().st_size, stored)


def _check(place: Path, kinds: str) -> None:
    """Stop unless all who can count the events of a log agree."""
    of_file = Counter(dict(duckdb.execute(f"select kind, sum(number)::bigint from ({kinds}) group by 1").fetchall()))
    with closing(open_log(place, create=False)) as log:
        numbers = sum(np.bincount(chunk["kind"], minlength=256) for chunk in log.scan())
    counts = {
        "a scan of the log": _named(enumerate(np.atleast_1d(numbers).tolist())),
        "DuckDB in the history": _of_duckdb(place) + _live(place),
        "Polars in the history": _of_polars(place) + _live(place),
    }
    for name, counted in counts.items():
        if counted != of_file:
            sys.exit(f"{name} counts {counted}, DuckDB in the file {of_file}, so no time counts")


def _named(numbers: Iterable[tuple[int, int]]) -> Counts:
    return Counter({Kind(kind).name: number for kind, number in numbers if number})


def _events(place: Path) -> str:
    return str(place.with_suffix(".history") / "events-*.parquet")


def _live(place: Path) -> Counts:
    """What stayed in the database, by kind."""
    with closing(sqlite3.connect(place)) as database:
        return _named(database.execute("select kind, count(*) from events group by kind").fetchall())


def _of_duckdb(place: Path) -> Counts:
    return Counter(dict(duckdb.execute(f"select kind, count(*) from '{_events(place)}' group by kind").fetchall()))


def _of_polars(place: Path) -> Counts:
    return Counter(dict(pl.scan_parquet(_events(place)).group_by("kind").len().collect().iter_rows()))


def _report(measured: dict[str, Measured]) -> None:
    times, sizes = [], []
    claims: dict[str, float] = {}
    for name, run in measured.items():
        title, records, events = FILES[name].title, run.own[0]["records"], run.own[0]["accepted"]
        peer = median(peer["seconds"] for peer in run.peer)
        times.append(
            (
                title,
                f"{records:,}",
                f"{run.seconds:.1f}",
                f"{peer:.1f}",
                f"{run.ratio:.2f}",
                f"{records / run.seconds:,.0f}",
            )
        )
        peaks = f"{run.peak / 1e6:,.0f}", f"{max(peer['peak'] for peer in run.peer) / 1e6:,.0f}"
        sizes.append((title, f"{run.size / 2**20:,.0f}", f"{events:,}", f"{run.stored / events:.1f}", *peaks))
        claims |= {f"{name}_rows_per_second": records / run.seconds, f"{name}_time_to_duckdb": run.ratio}
    print_table(
        f"Imported into the default store, {thread_count(None)} threads",
        ("file", "rows", "s", "DuckDB s", "ratio", "rows/s"),
        times,
    )
    print_table("Sizes", ("file", "file MiB", "events", "bytes/event", "most MB", "DuckDB MB"), sizes)
    first = next(iter(measured.values()))
    claims["bytes_per_event"] = first.stored / first.own[0]["accepted"]
    claims["peak_memory_mb"] = max(run.peak for run in measured.values()) / 1e6
    print_claims("import_files", claims)


if __name__ == "__main__":
    main()
