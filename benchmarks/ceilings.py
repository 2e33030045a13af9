"""How fast a bare store takes the rows that a server wrote into it: the same rows, the same tables, nothing else.

    python -m benchmarks.ceilings URL NEW_URL BATCH SECONDS

reads the events and states of the store at URL and writes them again to NEW_URL, whose tables it makes as they are
there: one transaction for `BATCH` events and the states of the customers they touch, each on the disk before the next.
No HTTP, no JSON, no fold. Prints events a second. `ceiling` runs it in processes of its own.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Rows = list[tuple[Any, ...]]
Transaction = tuple[Rows, Rows]
"""Rows of `events`, and of `states`."""

MOST_EVENTS = 200_000


def ceiling(url: str, fresh: Sequence[str], batch: int, seconds: float) -> float:
    """Events a second that one process for each of `fresh` (places for new stores) writes, added up."""
    command = [sys.executable, "-m", "benchmarks.ceilings", url]
    running = [
        subprocess.Popen([*command, each, str(batch), str(seconds)], stdout=subprocess.PIPE, text=True)
        for each in fresh
    ]
    answers = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        sys.exit("the bare store could not be written; the message is above")
    return sum(float(json.loads(answer)) for answer in answers)


def _transactions(events: Rows, states: dict[int, tuple[Any, ...]], batch: int, customer: int) -> Iterator[Transaction]:
    for start in range(0, len(events), batch):
        some = events[start : start + batch]
        touched = sorted({row[customer] for row in some} & states.keys())
        yield some, [states[code] for code in touched]


def _timed(write: Callable[[Transaction], None], transactions: Iterator[Transaction], seconds: float) -> float:
    ready = list(transactions)
    written, begun = 0, time.perf_counter()
    for transaction in ready:
        write(transaction)
        written += len(transaction[0])
        if time.perf_counter() - begun > seconds:
            break
    return written / (time.perf_counter() - begun)


def sqlite_ceiling(source: Path, target: Path, batch: int, seconds: float) -> float:
    """Events a second into a new SQLite file, in write-ahead mode with `synchronous = FULL`."""
    old = sqlite3.connect(source)
    new = sqlite3.connect(target, isolation_level=None)
    new.execute("PRAGMA journal_mode = WAL")
    new.execute("PRAGMA synchronous = FULL")
    made = "SELECT sql FROM sqlite_master WHERE tbl_name IN ('events', 'states') AND type != 'trigger' AND sql NOT NULL"
    for (statement,) in old.execute(made):
        new.execute(statement)
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

    return _timed(write, _transactions(events, states, batch, columns.index("customer")), seconds)


def postgres_ceiling(source: str, target: str, batch: int, seconds: float) -> float:
    """Events a second into new tables of a PostgreSQL database: one statement for the events, one for the states."""
    import psycopg

    with psycopg.connect(source) as old, psycopg.connect(target) as new:
        columns = _columns(old, "events"), _columns(old, "states")
        events = old.execute(f"SELECT * FROM events LIMIT {MOST_EVENTS}").fetchall()
        states = {row[0]: row for row in old.execute("SELECT * FROM states")}
        schema = f"ceiling_{time.monotonic_ns()}"
        new.execute(f"CREATE SCHEMA {schema}")
        for table, made in zip(("events", "states"), columns, strict=True):
            listed = ", ".join([f'"{name}" {kind}' for name, kind in made])
            new.execute(f"CREATE TABLE {schema}.{table} ({listed})")
        new.execute(f'ALTER TABLE {schema}.events ADD PRIMARY KEY ("offset"), ADD UNIQUE (message_id)')
        new.execute(f"CREATE INDEX ON {schema}.events (received)")
        new.execute(f"CREATE INDEX ON {schema}.events (customer, received)")
        new.execute(f"ALTER TABLE {schema}.states ADD PRIMARY KEY (customer)")
        new.commit()
        insert_events = _insert(f"{schema}.events", columns[0]) + " ON CONFLICT DO NOTHING"
        rest = [name for name, _ in columns[1][1:]]
        replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
        insert_states = _insert(f"{schema}.states", columns[1]) + f" ON CONFLICT (customer) DO UPDATE SET {replaced}"

        def write(transaction: Transaction) -> None:
            for statement, rows in ((insert_events, transaction[0]), (insert_states, transaction[1])):
                new.execute(statement, [list(column) for column in zip(*rows, strict=True)], prepare=True)
            new.commit()

        customer = [name for name, _ in columns[0]].index("customer")
        return _timed(write, _transactions(events, states, batch, customer), seconds)


def _columns(connection: Any, table: str) -> list[tuple[str, str]]:
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (table,),
    )
    return [(str(name), str(kind)) for name, kind in found]


def _insert(table: str, columns: Sequence[tuple[str, str]]) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in columns)
    return f"INSERT INTO {table} SELECT * FROM unnest({arrays})"


def main() -> None:
    """Measure one process; print events a second."""
    source, target, batch, seconds = sys.argv[1:]
    if source.startswith("postgresql://"):
        found = postgres_ceiling(source, target, int(batch), float(seconds))
    else:
        prefix = "sqlite:///"
        places = Path(source.removeprefix(prefix)), Path(target.removeprefix(prefix))
        found = sqlite_ceiling(*places, int(batch), float(seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
