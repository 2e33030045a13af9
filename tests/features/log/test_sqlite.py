"""The SQLite log keeps the contract, and its transactions are what a state store needs."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pytest

from features.events import Kind
from features.log.frame import frame_of
from features.log.sqlite import SqliteLog, vocabulary
from features.log.sqlite.schema import ABOUT_PEOPLE
from tests.features.log.dead_letter_suite import LETTER
from tests.features.log.erasure_suite import LATER
from tests.features.log.samples import event, gathered, shop
from tests.features.log.sealing import SealingLog
from tests.features.log.suite import EventLogSuite


class TestSqlite(EventLogSuite):
    """The suite."""

    def open(self, place: Path) -> SqliteLog:
        return SqliteLog(place)


class TestSealed(EventLogSuite):
    """The suite, on a log whose events leave the database at once."""

    def open(self, place: Path) -> SqliteLog:
        return SealingLog(place)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.connection.execute("CREATE TABLE states (customer INTEGER PRIMARY KEY, state BLOB)")
        yield log


def states(log: SqliteLog) -> list[int]:
    return [row[0] for row in log.connection.execute("SELECT customer FROM states ORDER BY customer")]


def test_a_transaction_holds_the_events_and_what_else_is_written(log: SqliteLog, tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as other:
        with log.transaction() as connection:
            appended = log.append([event(1)])
            connection.execute("INSERT INTO states VALUES (?, ?)", (int(appended.records["customer"][0]), b"state"))
            assert (log.count(), other.count(), states(other)) == (1, 0, [])
        assert (log.count(), other.count(), states(other)) == (1, 1, [0])


def test_a_failed_transaction_leaves_nothing(log: SqliteLog) -> None:
    before = log.digest()
    with pytest.raises(ZeroDivisionError), log.transaction() as connection:
        log.append([event(1, "ann", item="x")])
        connection.execute("INSERT INTO states VALUES (0, x'00')")
        log.reject([LETTER])
        assert log.customers.code("ann") == 0
        raise ZeroDivisionError
    assert (log.digest(), states(log), log.dead_letters(9)) == (before, [], [])
    assert (log.customers.code("ann"), log.items.code("x")) == (None, None)


def test_codes_of_a_failed_transaction_are_given_to_others(log: SqliteLog) -> None:
    with pytest.raises(KeyError), log.transaction():
        log.append([event(1, "ann", item="x")])
        raise KeyError
    log.append([event(2, "bob", item="y")])
    assert log.append([event(3, "ann", item="x")]).records["customer"].tolist() == [1]
    assert (log.customers.names(), log.items.names()) == (["bob", "ann"], ["y", "x"])


def test_an_inner_transaction_fails_by_itself(log: SqliteLog) -> None:
    with log.transaction():
        log.append([event(1, "ann")])
        with pytest.raises(KeyError), log.transaction():
            log.append([event(2, "bob")])
            raise KeyError
        assert log.customers.code("bob") is None
        log.append([event(3, "cid")])
    assert log.customers.names() == ["ann", "cid"]
    assert (log.count(), log.offset()) == (2, 2)


def test_an_erasure_can_be_undone_until_it_is_committed(log: SqliteLog) -> None:
    log.append([event(1, "ann")])
    with pytest.raises(KeyError), log.transaction():
        assert log.erase("ann", LATER).events == 1
        raise KeyError
    assert (log.customers.code("ann"), log.count()) == (0, 1)


def test_a_transaction_sees_names_that_were_erased_elsewhere(log: SqliteLog, tmp_path: Path) -> None:
    log.append([event(1, "ann")])
    with closing(SqliteLog(tmp_path / "log.db")) as other:
        other.erase("ann", LATER)
    assert log.customers.code("ann") == 0
    log.refresh()
    assert log.customers.code("ann") is None


def test_an_object_belongs_to_its_thread(log: SqliteLog) -> None:
    errors: list[Exception] = []

    def use() -> None:
        try:
            log.count()
        except sqlite3.ProgrammingError as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_a_scan_may_go_on_in_another_thread(log: SqliteLog) -> None:
    log.append(shop(200), history=True)
    scan = log.scan()
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(gathered(scan))))
    thread.start()
    thread.join()
    assert found == [200]


def test_an_abandoned_scan_holds_nothing(log: SqliteLog) -> None:
    log.append(shop(200), history=True)
    scan = log.scan()
    next(scan)
    scan.close()  # type: ignore[attr-defined]
    assert log.erase("customer-1", LATER).events > 0


def test_the_cache_of_names_is_bounded(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "CACHED", 10)
    events = [event(number, f"c{number % 30}") for number in range(90)]
    for start in range(0, 90, 45):
        log.append(events[start : start + 45])
    assert log.customers.names() == [f"c{number}" for number in range(30)]
    assert [log.customers.code(f"c{number}") for number in range(30)] == list(range(30))
    assert [log.customers.name(number) for number in range(30)] == [f"c{number}" for number in range(30)]
    assert len(vars(log.customers)["_codes"]) <= 10


def test_a_batch_may_have_more_names_than_are_asked_for_at_once(log: SqliteLog) -> None:
    events = [event(number, f"c{number}") for number in range(1203)]
    log.append(events[:600])
    log.append(events[::-1])
    assert log.customers.names() == [*(f"c{n}" for n in range(600)), *(f"c{n}" for n in range(1202, 599, -1))]


def test_the_columns_can_be_queried_plainly(log: SqliteLog) -> None:
    log.append([event(1, "ann", item="x", amount=2.5), event(2, "bob", order_id="o1")])
    query = """
        SELECT message_id, customers.name, kind, at, received, channel, items.name, category, quantity, amount,
               order_id, score, properties
        FROM events JOIN customers ON customers.code = customer LEFT JOIN items ON items.code = item ORDER BY "offset"
    """
    assert log.connection.execute(query).fetchall() == [
        ("message-1", "ann", 14, event(1).at, event(1).at, 1, "x", None, None, 2.5, None, None, None),
        ("message-2", "bob", 14, event(2).at, event(2).at, 1, None, None, None, None, "o1", None, None),
    ]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM events WHERE customer = 1 ORDER BY received, \"offset\"", "events_by_customer"),
        ("SELECT * FROM events WHERE received <= 1 ORDER BY received, \"offset\"", "events_by_received"),
        (
            "SELECT * FROM events WHERE received <= 1 AND kind IN (81, 90) ORDER BY received, \"offset\"",
            "events_by_received",
        ),
        ("SELECT code FROM customers WHERE name = 'x'", "sqlite_autoindex_customers"),
        (f"SELECT * FROM events WHERE {ABOUT_PEOPLE} AND kind = 90 AND \"offset\" > 7", "events_about_people"),
        ("SELECT * FROM merges WHERE member = 1 OR profile = 1", "merges_by_profile"),
    ],
)  # fmt: skip
def test_reads_follow_an_index_without_sorting(log: SqliteLog, query: str, index: str) -> None:
    plan = " ".join(row[3] for row in log.connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_a_message_is_found_by_its_index(log: SqliteLog) -> None:
    log.append(shop(20), history=True)
    asked: list[str] = []
    log.connection.set_trace_callback(asked.append)
    assert log.find(shop(20)[7].message_id) == shop(20)[7]
    log.connection.set_trace_callback(None)
    (statement,) = [text for text in asked if text.startswith("SELECT")]
    plan = " ".join(row[3] for row in log.connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
    assert "sqlite_autoindex_events_1 (message_id=?)" in plan
    assert "SCAN" not in plan


def test_a_commit_is_on_the_disk(log: SqliteLog) -> None:
    settings = {
        name: log.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 2}


def test_any_engine_reads_the_history_and_counts_what_the_log_counts(tmp_path: Path) -> None:
    with closing(SealingLog(tmp_path / "log.db")) as log:
        log.append(shop(400), history=True)
        log.append_columns(frame_of([event(9000 + n, f"c{n % 7}", amount=2.5) for n in range(50)], range(50)))
        scanned = gathered(log.scan())
        live = log.connection.execute("SELECT kind, count(*) FROM events GROUP BY kind").fetchall()
    files = str(tmp_path / "log.history" / "events-*.parquet")
    counts = Counter({Kind(kind).name: number for kind, number in live})
    duck = duckdb.execute(f"SELECT kind, count(*) FROM read_parquet('{files}') GROUP BY kind").fetchall()
    lazy = pl.scan_parquet(files).group_by("kind").len().collect()
    assert Counter(dict(duck)) == Counter({str(kind): number for kind, number in lazy.iter_rows()})
    assert counts + Counter(dict(duck)) == Counter(Kind(int(kind)).name for kind in scanned["kind"])
    names = str(tmp_path / "log.history" / "customers" / "*.parquet")
    spent = duckdb.execute(
        f"SELECT name, sum(amount) FROM read_parquet('{files}') AS e JOIN read_parquet('{names}') AS c "
        "ON c.code = e.customer WHERE name = 'c3' GROUP BY name"
    ).fetchall()
    assert spent == [("c3", 17.5)]
