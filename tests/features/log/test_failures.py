"""Broken, foreign, full, locked and forbidden logs: each is refused with what is wrong and what to do."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from features.log.contract import (
    EventLog,
    LogBusy,
    LogCorrupt,
    LogDenied,
    LogError,
    LogFull,
    LogMissing,
    LogVersion,
)
from features.log.parquet import ParquetLog, folder
from features.log.sqlite import SqliteLog
from features.log.sqlite.schema import APPLICATION, VERSION
from tests.features.log.samples import event, gathered, shop
from tests.features.log.stores import STORES

every_store = pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)


@contextmanager
def forbidden(*paths: Path, without: int = 0o222) -> Iterator[None]:
    """Take rights to `paths` away, to write or `without` others, from the superuser too (who may run the tests)."""
    root = os.geteuid() == 0
    modes = {path: path.stat().st_mode for path in paths}
    closed = [parent for parent in paths[0].parents if root and not parent.stat().st_mode & 0o010]
    modes |= {parent: parent.stat().st_mode for parent in closed}
    for path in paths:
        path.chmod((0o777 if path.is_dir() else 0o666) & ~without)
    for parent in closed:
        if parent not in paths:
            parent.chmod(modes[parent] | 0o011)
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in reversed(modes):
            path.chmod(modes[path])


@every_store
def test_a_log_that_must_exist_is_not_made(open_store: Callable[..., EventLog], tmp_path: Path) -> None:
    with pytest.raises(LogMissing, match=r"no event log (at|in) .*log\.db; make one with: waypost import"):
        open_store(tmp_path / "deep" / "log.db", create=False)
    assert list(tmp_path.iterdir()) == []


@every_store
def test_missing_folders_are_made(open_store: Callable[[Path], EventLog], tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "a" / "b" / "log.db")) as log:
        assert log.count() == 0


@every_store
def test_the_folder_cannot_be_made_below_a_file(open_store: Callable[[Path], EventLog], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogDenied, match="file"):
        open_store(tmp_path / "file" / "log.db")


@every_store
def test_a_folder_that_may_not_be_entered_says_so(open_store: Callable[[Path], EventLog], tmp_path: Path) -> None:
    open_store(tmp_path / "log.db").close()
    with forbidden(tmp_path, without=0o777), pytest.raises(LogDenied, match="Permission denied"):
        open_store(tmp_path / "log.db")


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(LogCorrupt, match=r"not a SQLite database; name another file, or move this one away: mv"):
        SqliteLog(path)
    assert path.read_bytes() == b"not a database" * 1000


def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    (tmp_path / "log.db").touch()
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        assert log.append([event(1)]).accepted_count == 1


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(LogDenied, match="must be a file"):
        SqliteLog(tmp_path)


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()
    with pytest.raises(LogVersion, match="database of another program"):
        SqliteLog(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(SqliteLog(path)) as log:
        assert log.connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        log.connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(
        LogVersion, match=rf"schema version {VERSION + 1}, and this .* up to {VERSION}; install the newer"
    ):
        SqliteLog(path)


def test_a_damaged_database_says_how_to_save_it(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(SqliteLog(path)) as log:
        log.append(shop(5000), history=True)
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    with (
        closing(SqliteLog(path)) as log,
        pytest.raises(LogCorrupt, match=r"damaged; restore a backup, or save .*\.recover"),
    ):
        gathered(log.scan())


def test_a_locked_database_is_busy_and_unharmed(tmp_path: Path) -> None:
    with (
        closing(SqliteLog(tmp_path / "log.db")) as holder,
        closing(SqliteLog(tmp_path / "log.db", busy_seconds=0.05)) as log,
    ):
        with holder.transaction():
            holder.append([event(1)])
            with pytest.raises(LogBusy, match=r"nothing was written here; try again, .* fuser"):
                log.append([event(2, "bob")])
            assert log.count() == 0
        assert log.append([event(2, "bob")]).accepted == [True]
        assert log.customers.names() == ["ann", "bob"]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append([event(1)])
        pages = log.connection.execute("PRAGMA page_count").fetchone()[0]
        log.connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(LogFull, match=r"nothing is lost; free some space \(df -h"):
            log.append(shop(2000))
        assert (log.count(), log.customers.names()) == (1, ["ann"])
        log.connection.execute("PRAGMA max_page_count = 1000000")
        assert log.append(shop(2000)).accepted_count == 2000
        assert log.customers.names()[0] == "ann"


def test_a_full_disk_ends_every_transaction_around_it(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        pages = log.connection.execute("PRAGMA page_count").fetchone()[0]
        log.connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(LogFull), log.transaction():
            log.append([event(1)])
            log.append(shop(2000))
        assert (log.count(), log.customers.names(), log.connection.in_transaction) == (0, [], False)


def test_a_log_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(SqliteLog(path)) as log:
        log.append([event(1)])
    with (
        forbidden(path, tmp_path),
        pytest.raises(LogDenied, match=r"writ(e|able).*ls -la"),
        closing(SqliteLog(path)) as log,
    ):
        log.append([event(2)])
    with closing(SqliteLog(path)) as log:
        assert log.count() == 1


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(ParquetLog(path)) as log:
        log.append([event(1)])
        every = [path, *path.rglob("*")]
        with forbidden(*every), pytest.raises(LogDenied, match=r"writable for this user; see: ls -la"):
            log.append([event(2)])
        assert log.count() == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "colour": 2}', '{"version": "x"}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log"
    with closing(ParquetLog(path)):
        (path / "log.json").write_text(text)
    with pytest.raises(LogCorrupt, match=r"log\.json is damaged"):
        ParquetLog(path)


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(ParquetLog(path)):
        (path / "log.json").write_text('{"version": 3, "colour": "blue"}')
    with pytest.raises(LogVersion, match="version 3, and this release of Waypost knows versions up to 2"):
        ParquetLog(path)


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(LogVersion, match="not an event log and not empty"):
        ParquetLog(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("kept", [0, 100, -300])
def test_a_damaged_file_is_named(tmp_path: Path, kept: int) -> None:
    with closing(ParquetLog(tmp_path / "log", partitions=1)) as log:
        log.append(shop(500), history=True)
        (path,) = (tmp_path / "log" / "events").rglob("*.parquet")
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(LogCorrupt, match="damaged, restore it from a backup"):
            gathered(log.scan())
        (names,) = (tmp_path / "log" / "customers").rglob("*.parquet")
        names.write_bytes(names.read_bytes()[:kept])
        with closing(ParquetLog(tmp_path / "log")) as again, pytest.raises(LogCorrupt, match="damaged, restore it"):
            again.customers.names()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(OSError(28, "No space left on device"), LogFull), (OSError(5, "Input/output error"), LogError)],
)
def test_a_failing_disk_leaves_the_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: OSError, expected: type[LogError]
) -> None:
    def fail(*_: object) -> None:
        raise raised

    with closing(ParquetLog(tmp_path / "log")) as log:
        log.append([event(1)])
        before = log.digest()
        with monkeypatch.context() as failing:
            failing.setattr(folder, "replace", fail)
            with pytest.raises(expected, match="then try again"):
                log.append([event(2, "bob")])
        assert (log.digest(), log.customers.names()) == (before, ["ann"])
        assert log.append([event(2, "bob")]).accepted == [True]


def test_a_second_writer_of_a_folder_waits_and_then_says_so(tmp_path: Path) -> None:
    with closing(ParquetLog(tmp_path / "log", busy_seconds=0.1)) as log:
        with folder.sole_writer(log.path, 1), pytest.raises(LogBusy, match=r"0\.1 s, and nothing was written here"):
            log.append([event(1)])
        assert log.append([event(1)]).accepted == [True]
