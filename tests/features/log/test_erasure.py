"""After an erasure no file of the log holds the customer's bytes, whatever SQLite did to its pages before."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.events import Event
from features.log import scrub, sqlite
from features.log.contract import EventLog, LogBusy
from features.log.sqlite import SqliteLog
from tests.features.log.samples import event
from tests.features.log.stores import STORES
from tests.features.log.suite import LETTER


def holding(folder: Path, needle: str) -> list[Path]:
    """The files below `folder` that hold the text."""
    return [path for path in folder.rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]


def crowd(number: int, customers: int) -> Iterator[Event]:
    """Events that mention their customer in every text, with ids in no order, so that pages split and merge a lot."""
    draw = np.random.default_rng(5)
    for position in range(number):
        name = f"customer-{draw.integers(customers):06}-name"
        note = "n" * int(draw.integers(0, 120))
        yield event(
            position,
            name,
            message_id=f"{draw.bytes(4).hex()}-{name}",
            order_id=name,
            properties={"note": note, "me": name},
        )


@pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)
def test_no_file_holds_an_erased_customer(open_store: Callable[[Path], EventLog], tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "log.db")) as log:
        events = list(crowd(3000, 200))
        for start in range(0, len(events), 500):
            log.append(events[start : start + 500])
        names = sorted({each.customer for each in events})
        log.reject([replace(LETTER, raw=f'{{"user": "{name}"}}'.encode()) for name in names[:10]])
        log.reject([replace(LETTER, reason=f"{name} is blocked", customer=name) for name in names[:10]])
        for name in names[:10]:
            assert holding(tmp_path, name)
            assert log.erase(name) >= 3
            assert holding(tmp_path, name) == []
        assert holding(tmp_path, names[10])
        assert log.count() == sum(each.customer not in names[:10] for each in events)


def test_what_a_page_kept_of_a_moved_row_is_found_and_removed(tmp_path: Path) -> None:
    found = 0
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        events = list(crowd(6000, 1500))
        log.append(events)
        log.connection.execute("PRAGMA synchronous = OFF")
        for name in sorted({each.customer for each in events}):
            with log.transaction() as connection:  # only the rows, as an erasure without a search would leave it
                code = log.customers.find(name)
                connection.execute("DELETE FROM events WHERE customer = ?", (code,))
                connection.execute("UPDATE customers SET name = NULL WHERE code = ?", (code,))
            log.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if holding(tmp_path, name):
                found += 1
                assert scrub.has_remnants(log.path, [name.encode()])
                log.erase(name)
                assert holding(tmp_path, name) == []
            if found == 3:
                break
    if not found:
        pytest.skip(f"SQLite {sqlite3.sqlite_version} left nothing behind on its pages")


def test_a_name_in_a_row_is_not_a_remnant(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append([event(number, f"customer-{number}") for number in range(500)])
        log.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"customer-77" in log.path.read_bytes()
        assert not scrub.has_remnants(log.path, [b"customer-77"])


def test_too_short_a_name_is_not_searched_for(tmp_path: Path) -> None:
    path = tmp_path / "page.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a)")
    content = bytearray(path.read_bytes())
    content[5000:5007] = b"1234567"
    path.write_bytes(content)
    assert scrub.has_remnants(path, [b"123456"])
    assert not scrub.has_remnants(path, [b"12345", b""])


def test_a_scan_that_outlasts_the_wait_is_reported_and_can_be_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHUNK", 10)
    with closing(SqliteLog(tmp_path / "log.db", busy_seconds=0.1)) as log:
        log.append([event(number, f"customer-{number % 9}") for number in range(90)])
        scan = log.scan()
        next(scan)
        log.append([event(100, "customer-3")])
        with pytest.raises(LogBusy, match="erase the same customer again when it is over"):
            log.erase("customer-3")
        assert log.customers.code("customer-3") is None
        assert holding(tmp_path, "customer-3")
        assert sum(map(len, scan)) == 80
        assert log.erase("customer-3") == 0
        assert holding(tmp_path, "customer-3") == []


def test_an_erasure_inside_a_transaction_is_overwritten_after_it(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append([event(number, f"customer-{number}") for number in range(20)])
        with log.transaction():
            log.erase("customer-7")
            log.erase("customer-8")
            log.append([event(30, "customer-30")])
        assert [holding(tmp_path, name) for name in ("customer-7", "customer-8")] == [[], []]
        assert log.count() == 19
