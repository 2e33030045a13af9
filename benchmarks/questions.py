"""Questions about the whole history: how long the journal takes, beside DuckDB on the same sorted rows.

    python -m benchmarks.questions
    python -m benchmarks.questions --events 100000000 --no-peers
    python -m benchmarks.questions --retentioneering /tmp/peer/bin/python

A funnel of four steps within 14 days, the transitions between ten kinds within a day, and retention by week, of a
synthetic shop of ten million events. All counts are compared first; then both are asked in turn, with as many threads
as this process may run at once, and the best of the rounds counts. DuckDB has the rows in memory, sorted by customer
and time. The journal is made of the log in memory; how long that takes is shown, too.

retentioneering 3 needs older packages than ours, so it runs in the interpreter that `--retentioneering` names (one of
Python 3.11 with `pip install 'retentioneering==3.*' 'numpy<2'`), and is left out where none is named. It has no window
and takes some ten seconds to make its stream of a million events, so it is asked without the window, of
`--retentioneering-events` events, and so is the journal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.duckdb_peer import connect
from benchmarks.report import print_claims, print_table
from benchmarks.shops import events_of
from features.cores import thread_count
from features.events import Kind
from features.log.contract import MERGE
from features.replay.snapshots import Past, past_of
from insights.journal.columns import Journal, journal_of
from insights.journal.funnel import funnel
from insights.journal.groups import everyone
from insights.journal.question import FAR, Funnel, Retention, Step, Transitions
from insights.journal.retention import retention
from insights.journal.transitions import Arrows, transitions

EVENTS_PER_CUSTOMER = 14

DAY = 86_400
FUNNEL = Funnel(
    tuple(Step((kind,)) for kind in (Kind.ITEM_VIEW, Kind.CART_ADD, Kind.CHECKOUT_START, Kind.PURCHASE)), 14 * DAY
)
TRANSITIONS = Transitions(
    (
        Kind.PAGE_VIEW, Kind.SEARCH, Kind.LIST_VIEW, Kind.ITEM_VIEW, Kind.CART_ADD, Kind.CART_VIEW,
        Kind.CHECKOUT_START, Kind.PAYMENT_INFO, Kind.PURCHASE, Kind.MESSAGE_OPEN,
    ),
    DAY,
)  # fmt: skip
RETENTION = Retention((Kind.SESSION_START,), (Kind.ITEM_VIEW, Kind.PURCHASE), 52)


def main() -> None:
    """Compare, measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="measure the journal alone")
    parser.add_argument("--retentioneering", metavar="PYTHON", help="an interpreter that has retentioneering 3")
    parser.add_argument("--retentioneering-events", type=int, default=1_000_000)
    asked = parser.parse_args()
    past = _past(asked.events)
    began = time.perf_counter()
    journal = journal_of(past)
    made = time.perf_counter() - began
    print(
        f"{len(journal):,} events of {len(journal.customers):,} customers, {journal.bytes_per_event} bytes an event, "
        f"made in {made:.2f} s; {thread_count(None)} threads"
    )
    ours: dict[str, Callable[[], Any]] = {
        "funnel": lambda: funnel(journal, FUNNEL).counts,
        "transitions": lambda: _rows(transitions(journal, TRANSITIONS, everyone(journal))),
        "retention": lambda: retention(journal, RETENTION).counts().tolist(),
    }
    database = None if asked.no_peers else _database(journal)
    rows, claims = [], {}
    for name, question in ours.items():
        peer = partial(PEERS[name], database) if database else None
        if peer and (expected := peer()) != question():
            raise SystemExit(f"error: {name}: DuckDB counts {expected}, the journal {question()}")
        own, other = _best(asked.rounds, question, peer)
        claims[f"{name}_ms"] = own * 1e3
        cells = [f"{own * 1e3:,.1f}", "", ""]
        if peer:
            claims[f"{name}_to_duckdb"] = other / own
            cells[1:] = [f"{other * 1e3:,.1f}", f"{other / own:.1f}"]
        rows.append((name, *cells))
    print_table("best of the rounds", ("question", "journal ms", "DuckDB ms", "times"), rows)
    if asked.retentioneering:
        claims |= _to_retentioneering(asked.retentioneering, asked.retentioneering_events, asked.rounds)
    else:
        print("retentioneering is left out: --retentioneering PYTHON names an interpreter that has it")
    print_claims("questions", claims)


def _past(events: int) -> Past:
    return past_of([events_of(events, max(events // EVENTS_PER_CUSTOMER, 1))], np.empty(0, MERGE))


def _best(rounds: int, question: Callable[[], Any], peer: Callable[[], Any] | None) -> tuple[float, float]:
    """The least seconds of both, asked in turn."""
    own, other = [], [0.0] if peer is None else []
    question()
    for _ in range(rounds):
        own.append(_seconds(question))
        if peer:
            other.append(_seconds(peer))
    return min(own), min(other)


def _seconds(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def _rows(arrows: Arrows) -> list[tuple[int, ...]]:
    kinds = [int(kind) for kind in TRANSITIONS.kinds]
    (numbers,), (customers,), (dwell,) = arrows.transitions, arrows.customers, arrows.dwell
    return sorted(
        (kinds[i], kinds[j], int(numbers[i, j]), int(customers[i, j]), int(dwell[i, j]))
        for i, j in zip(*np.nonzero(numbers), strict=True)
    )


def _database(journal: Journal) -> duckdb.DuckDBPyConnection:
    """The journal as a table of DuckDB in memory: customer, place in the journal, second and kind."""
    rows = pa.table(
        {
            "customer": np.repeat(journal.customers, np.diff(journal.starts)),
            "n": np.arange(len(journal), dtype=np.int64),
            "at_s": journal.at.astype(np.int64),
            "kind": journal.kind,
        }
    )
    database = connect(thread_count(None))
    database.register("rows", rows)
    database.execute("create table events as select * from rows order by customer, n")
    database.unregister("rows")
    return database


def _kinds(kinds: Sequence[Kind]) -> str:
    return ", ".join(str(int(kind)) for kind in kinds)


def _funnel(database: duckdb.DuckDBPyConnection) -> list[int]:
    """Each step the first event of its kinds after the step before, within the window of the first step."""
    first, *later = FUNNEL.steps
    parts = [
        "s0 as (select customer, min(n) as n, min(at_s) as t from events "
        f"where kind in ({_kinds(first.kinds)}) group by 1)"
    ]
    for place, step in enumerate(later, start=1):
        parts.append(
            f"s{place} as (select s.customer, min(e.n) as n, any_value(s.t) as t from s{place - 1} s join events e on "
            f"e.customer = s.customer and e.n > s.n and e.at_s <= s.t + {FUNNEL.within} "
            f"and e.kind in ({_kinds(step.kinds)}) group by 1)"
        )
    counts = ", ".join(f"(select count(*) from s{place})" for place in range(len(FUNNEL.steps)))
    (row,) = database.sql(f"with {', '.join(parts)} select {counts}").fetchall()
    return list(row)


def _transitions(database: duckdb.DuckDBPyConnection) -> list[tuple[int, ...]]:
    return sorted(
        database.sql(
            "select kind, next, count(*), count(distinct customer), cast(sum(seconds) as bigint) from ("
            "select customer, kind, lead(kind) over w as next, lead(at_s) over w - at_s as seconds from events "
            f"where kind in ({_kinds(TRANSITIONS.kinds)}) window w as (partition by customer order by n)) "
            f"where seconds <= {TRANSITIONS.within} group by 1, 2"
        ).fetchall()
    )


def _retention(database: duckdb.DuckDBPyConnection) -> list[list[int]]:
    cells = database.sql(
        "with entry as (select customer, min(n) as n, min(at_s) as t from events "
        f"where kind in ({_kinds(RETENTION.entry)}) group by 1), "
        "active as (select distinct e.customer, (c.t - 345600) // 604800 as cohort, "
        "(e.at_s - c.t) // 604800 as week from entry c join events e on e.customer = c.customer and e.n > c.n "
        f"and e.kind in ({_kinds(RETENTION.activity)}) and e.at_s - c.t < {RETENTION.weeks} * 604800), "
        "cohorts as (select distinct (t - 345600) // 604800 as cohort from entry) "
        "select cohorts.cohort, week, count(active.customer) from cohorts left join active using (cohort) group by 1, 2"
    ).fetchall()
    cohorts = sorted({cohort for cohort, _, _ in cells})
    table = [[0] * RETENTION.weeks for _ in cohorts]
    for cohort, week, number in cells:
        if week is not None:
            table[cohorts.index(cohort)][week] = number
    return table


def _to_retentioneering(interpreter: str, events: int, rounds: int) -> dict[str, float]:
    """How many times as long retentioneering takes, once its counts are those of the journal. Prints both."""
    journal = journal_of(_past(events))
    own: dict[str, Callable[[], Any]] = {
        "funnel": lambda: funnel(journal, Funnel(FUNNEL.steps, FAR)).counts,
        "transitions": lambda: transitions(journal, Transitions(TRANSITIONS.kinds, FAR), everyone(journal)),
    }
    answer = _retentioneering(interpreter, journal, rounds)
    (numbers,) = own["transitions"]().transitions
    names = [kind.name for kind in TRANSITIONS.kinds]
    expected = sorted([names[i], names[j], int(numbers[i, j])] for i, j in zip(*np.nonzero(numbers), strict=True))
    if (list(own["funnel"]()), expected) != (answer["funnel"], sorted(answer["transitions"])):
        raise SystemExit(f"error: retentioneering counts {answer}, the journal {own['funnel']()} and {expected}")
    seconds = {name: _best(rounds, question, None)[0] for name, question in own.items()}
    rows = [
        (
            name,
            f"{own * 1e3:,.1f}",
            f"{answer[f'{name}_seconds'] * 1e3:,.0f}",
            f"{answer[f'{name}_seconds'] / own:,.0f}",
        )
        for name, own in seconds.items()
    ]
    title = f"{len(journal):,} events without a window; retentioneering's stream was made in {answer['made']:.1f} s"
    print_table(title, ("question", "journal ms", "retentioneering ms", "times"), rows)
    return {f"{name}_to_retentioneering": answer[f"{name}_seconds"] / own for name, own in seconds.items()}


def _retentioneering(interpreter: str, journal: Journal, rounds: int) -> dict[str, Any]:
    """What `retentioneering_peer` answers about the events of the ten kinds."""
    chosen = np.isin(journal.kind, TRANSITIONS.kinds)
    names = np.array([next((kind.name for kind in Kind if kind == number), "") for number in range(256)])
    # Nanoseconds number the events, so that those of one second keep their order.
    at = journal.at.astype(np.int64) * 1_000_000_000 + np.arange(len(journal))
    customer = np.repeat(journal.customers, np.diff(journal.starts))
    steps = [step.kinds[0].name for step in FUNNEL.steps]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "columns.npz"
        np.savez(path, customer=customer[chosen], at=at[chosen], kind=names[journal.kind[chosen]])
        peer = str(Path(__file__).with_name("retentioneering_peer.py"))
        command = [interpreter, "-I", "-W", "ignore", peer, str(path), str(rounds), *steps]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


PEERS: dict[str, Callable[[duckdb.DuckDBPyConnection], Any]] = {
    "funnel": _funnel,
    "transitions": _transitions,
    "retention": _retention,
}


if __name__ == "__main__":
    main()
