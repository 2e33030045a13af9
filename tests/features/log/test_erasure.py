"""After an erasure no file of the log holds the customer's bytes, whatever SQLite did to its pages before."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest

from features.events import Event
from features.log import scans
from features.log.contract import EventLog, LogBusy
from features.log.sqlite import SqliteLog, scrub
from tests.features.log.dead_letter_suite import LETTER
from tests.features.log.erasure_suite import LATER
from tests.features.log.samples import event, identify
from tests.features.log.stores import STORES


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
            assert log.erase(name, LATER).rows >= 3
            assert holding(tmp_path, name) == []
        assert holding(tmp_path, names[10])
        assert log.count() == sum(each.customer not in names[:10] for each in events)


@pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)
def test_no_file_holds_any_name_of_an_erased_profile(open_store: Callable[[Path], EventLog], tmp_path: Path) -> None:
    crowd = [event(number, f"visitor-{number % 40}", order_id=f"visitor-{number % 40}") for number in range(400)]
    now = event(4000).received
    with closing(open_store(tmp_path / "log.db")) as log:
        log.append(crowd)
        log.append([identify(1000 + number, f"user-{number % 8}", f"visitor-{number}-x") for number in range(24)])
        log.append([identify(2000 + number, f"user-{number}", f"visitor-{number}") for number in range(8)])
        log.reject([replace(LETTER, raw=b"visitor-3-x,1"), replace(LETTER, position=8, customer="visitor-3")])
        # Somebody else on the same device, an id that was taken out again, and one that never got in.
        log.append([event(3000, "user-20", properties={"anonymous_id": "visitor-3-x", "page": 7, "none": nan})])
        log.append(
            [identify(3001, "visitor-30", "user-3"), identify(3002, "user-5", "visitor-3-x", "previous_id", none=nan)]
        )
        log.unmerge("visitor-11-x", now)
        names = log.profile("user-3")
        assert sorted(names) == ["user-3", "visitor-19-x", "visitor-3", "visitor-3-x"]
        erased = log.erase("visitor-3-x", now)
        assert (sorted(erased.customers), erased.dead_letters) == (sorted(names), 2)
        found = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        for name in names:
            word = re.compile(rb"(?<![0-9A-Za-z_-])" + name.encode() + rb"(?![0-9A-Za-z_-])")
            assert [path for path, content in found.items() if word.search(content)] == []
        assert repr(log.events("user-20", 1)[0].properties) == "{'page': 7, 'none': nan}"
        assert repr(log.events("user-5", 1)[0].properties) == "{'none': nan}"
        log.append(crowd, history=True)
        assert not set(names) & set(log.customers.names())
        log.append([event(5000, "visitor-3", received=now)])
        assert log.profile("visitor-3") == ["visitor-3"]
        assert len(log.history("visitor-3")) == 1


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
                log.erase(name, LATER)
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
    monkeypatch.setattr(scans, "CHUNK", 10)
    with closing(SqliteLog(tmp_path / "log.db", busy_seconds=0.1)) as log:
        log.append([event(number, f"customer-{number % 9}") for number in range(90)])
        scan = log.scan()
        next(scan)
        log.append([event(100, "customer-3")])
        with pytest.raises(LogBusy, match="erase the same customer again when it is over"):
            log.erase("customer-3", LATER)
        assert log.customers.code("customer-3") is None
        assert holding(tmp_path, "customer-3")
        assert sum(map(len, scan)) == 80
        assert log.erase("customer-3", LATER).rows == 0
        assert holding(tmp_path, "customer-3") == []


_COUNTING = """
import sys
from contextlib import closing
from features.log.sqlite import SqliteLog
with closing(SqliteLog(sys.argv[1])) as log:
    print(log.count())
"""


def test_what_is_written_after_an_erasure_is_there_for_everybody(tmp_path: Path) -> None:
    """Whoever opens and closes the log next must not take it for one that nobody else has open."""

    def counted_elsewhere() -> int:
        command = [sys.executable, "-c", _COUNTING, str(log.path)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append([event(number, f"customer-{number}") for number in range(20)])
        log.erase("customer-7", LATER)
        assert counted_elsewhere() == 19
        log.append([event(30, "customer-30")])
        assert counted_elsewhere() == 20


_CHECKPOINTING = """
import fcntl, sys, time
with open(sys.argv[1], "r+b") as shared:
    fcntl.lockf(shared, fcntl.LOCK_EX, 1, 121)  # WAL_CKPT_LOCK of https://www.sqlite.org/walformat.html
    print("locked", flush=True)
    time.sleep(0.3)
"""


def test_another_process_that_shortens_the_write_ahead_file_is_waited_for(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db", busy_seconds=10)) as log:
        log.append([event(number, f"customer-{number}") for number in range(20)])
        command = [sys.executable, "-c", _CHECKPOINTING, f"{log.path}-shm"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None and other.stdout.readline() == b"locked\n"
            log.erase("customer-7", LATER)
    assert holding(tmp_path, "customer-7") == []


def test_an_erasure_that_is_undone_takes_nothing_from_others(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append([event(1, "visitor-1"), event(2, "ann", properties={"anonymous_id": "visitor-1"})])
        with log.transaction():
            with pytest.raises(ZeroDivisionError), log.transaction():
                log.erase("visitor-1", LATER)
                raise ZeroDivisionError
            log.erase("visitor-2", LATER)
        assert log.events("ann", 1)[0].properties == {"anonymous_id": "visitor-1"}


def test_an_erasure_inside_a_transaction_is_overwritten_after_it(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append([event(number, f"customer-{number}") for number in range(20)])
        with log.transaction():
            log.erase("customer-7", LATER)
            log.erase("customer-8", LATER)
            log.append([event(30, "customer-30")])
        assert [holding(tmp_path, name) for name in ("customer-7", "customer-8")] == [[], []]
        assert log.count() == 19
