"""The speed at which a bare store accepts the rows that a server wrote: the same rows and tables, nothing else.

    python -m benchmarks.ceilings URL NEW_URL BATCH SECONDS NUMBER PROCESSES

reads the events and states of the store at URL and writes them again to NEW_URL, into tables with the same columns and
indexes: one transaction for `BATCH` events and the states of the customers they touch, each on disk before the next.
There is no HTTP, no JSON and no fold. Several processes write their shares into the same tables. The command prints how
many events it wrote, and when it began and ended by the machine's monotonic clock. `ceiling` makes the tables and runs
the processes.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

Rows = list[tuple[Any, ...]]
Transaction = tuple[Rows, Rows]
"""Rows of `events`, and of `states`."""

MOST_EVENTS = 200_000


class Stretch(NamedTuple):
    """The events that one process wrote, and the times at which it began and ended, in seconds."""

    events: int
    begun: float
    ended: float


def ceiling(url: str, new_url: str, batch: int, seconds: float, processes: int) -> float:
    """Events a second that so many processes together write into one new store, from the begin of the first to the end
    of the last: writers that wait for each other must not be counted as if they were alone."""
    (_make_postgres_tables if _is_postgres(url) else _make_sqlite_tables)(url, new_url)
    command = [sys.executable, "-m", "benchmarks.ceilings", url, new_url, str(batch), str(seconds)]
    running = [
        subprocess.Popen(
            [*command, str(number), str(processes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()  # it has read its rows
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        sys.exit("the bare store could not be written; the message is above")
    stretches = [Stretch(*json.loads(answer)) for answer in answers]
    duration = max(stretch.ended for stretch in stretches) - min(stretch.begun for stretch in stretches)
    return sum(stretch.events for stretch in stretches) / duration


def _is_postgres(url: str) -> bool:
    return url.startswith("postgresql://")


def _transactions(events: Rows, states: dict[int, tuple[Any, ...]], batch: int, customer: int) -> Iterator[Transaction]:
    for start in range(0, len(events), batch):
        some = events[start : start + batch]
        touched = sorted({row[customer] for row in some} & states.keys())
        yield some, [states[code] for code in touched]


def _timed(write: Callable[[Transaction], None], transactions: Iterator[Transaction], seconds: float) -> Stretch:
    ready = list(transactions)
    print("ready", flush=True)
    sys.stdin.readline()
    written, begun = 0, time.monotonic()
    for transaction in ready:
        write(transaction)
        written += len(transaction[0])
        if time.monotonic() - begun > seconds:
            break
    return Stretch(written, begun, time.monotonic())


def _sqlite(url: str) -> sqlite3.Connection:
    return sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None, timeout=30)


def _make_sqlite_tables(source: str, target: str) -> None:
    """The tables and indexes of the source, without its triggers; in write-ahead mode."""
    made = "SELECT sql FROM sqlite_master WHERE tbl_name IN ('events', 'states') AND type != 'trigger' AND sql NOT NULL"
    with closing(_sqlite(source)) as old, closing(_sqlite(target)) as new:
        new.execute("PRAGMA journal_mode = WAL")
        for (statement,) in old.execute(made).fetchall():
            new.execute(statement)


def sqlite_ceiling(source: str, target: str, batch: int, seconds: float, number: int, processes: int) -> Stretch:
    """Write into one SQLite file, with `synchronous = FULL`."""
    old, new = _sqlite(source), _sqlite(target)
    new.execute("PRAGMA synchronous = FULL")
    new.execute("PRAGMA cache_size = -65536")
    events = old.execute(f"SELECT * FROM events LIMIT {MOST_EVENTS}").fetchall()
    columns = [row[1] for row in old.execute("PRAGMA table_info(events)")]
    states = {row[0]: row for row in old.execute("SELECT * FROM states")}
    event_marks = ",".join("?" * len(columns))
    state_marks = ",".join("?" * len(next(iter(states.values()))))

    def write(transaction: Transaction) -> None:
        new.execute("BEGIN IMMEDIATE")
        new.executemany(f"INSERT INTO events VALUES ({event_marks}) ON CONFLICT DO NOTHING", transaction[0])
        new.executemany(f"INSERT OR REPLACE INTO states VALUES ({state_marks})", transaction[1])
        new.execute("COMMIT")

    mine = islice(_transactions(events, states, batch, columns.index("customer")), number, None, processes)
    return _timed(write, mine, seconds)


SCHEMA = "ceiling"


def _make_postgres_tables(source: str, target: str) -> None:
    """The tables and indexes of the source, in a separate schema."""
    import psycopg

    with psycopg.connect(source) as old, psycopg.connect(target) as new:
        new.execute(f"CREATE SCHEMA {SCHEMA}")
        for table in ("events", "states"):
            listed = ", ".join([f'"{name}" {kind}' for name, kind in _columns(old, table)])
            new.execute(f"CREATE TABLE {SCHEMA}.{table} ({listed})")
        new.execute(f'ALTER TABLE {SCHEMA}.events ADD PRIMARY KEY ("offset"), ADD UNIQUE (message_id)')
        new.execute(f"CREATE INDEX ON {SCHEMA}.events (received)")
        new.execute(f"CREATE INDEX ON {SCHEMA}.events (customer, received)")
        new.execute(f"ALTER TABLE {SCHEMA}.states ADD PRIMARY KEY (customer)")


def postgres_ceiling(source: str, target: str, batch: int, seconds: float, number: int, processes: int) -> Stretch:
    """Write into a PostgreSQL database: one statement for the events, one for the states, by rising key."""
    import psycopg

    with psycopg.connect(source) as old, psycopg.connect(target) as new:
        columns = _columns(old, "events"), _columns(old, "states")
        events = old.execute(f'SELECT * FROM events ORDER BY "offset" LIMIT {MOST_EVENTS}').fetchall()
        states = {row[0]: row for row in old.execute("SELECT * FROM states")}
        rest = [name for name, _ in columns[1][1:]]
        replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
        insert_events = _insert(f"{SCHEMA}.events", columns[0]) + " ON CONFLICT DO NOTHING"
        insert_states = _insert(f"{SCHEMA}.states", columns[1]) + f" ON CONFLICT (customer) DO UPDATE SET {replaced}"

        def write(transaction: Transaction) -> None:
            for statement, rows in ((insert_events, transaction[0]), (insert_states, transaction[1])):
                new.execute(statement, [list(column) for column in zip(*rows, strict=True)], prepare=True)
            new.commit()

        customer = [name for name, _ in columns[0]].index("customer")
        return _timed(write, islice(_transactions(events, states, batch, customer), number, None, processes), seconds)


def _columns(connection: Any, table: str) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (table,),
    )
    return [(str(name), str(kind)) for name, kind in rows]


def _insert(table: str, columns: Sequence[tuple[str, str]]) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in columns)
    return f"INSERT INTO {table} SELECT * FROM unnest({arrays})"


def main() -> None:
    """Measure one process; print its stretch."""
    source, target, batch, seconds, number, processes = sys.argv[1:]
    measure = postgres_ceiling if _is_postgres(source) else sqlite_ceiling
    print(json.dumps(measure(source, target, int(batch), float(seconds), int(number), int(processes))))


if __name__ == "__main__":
    main()
