"""Logs that an earlier release wrote are brought up to date when they are opened, with all that they hold."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.log import rows
from features.log.parquet import ParquetLog, folder
from features.log.sqlite import SqliteLog
from features.log.sqlite.schema import APPLICATION, SCHEMAS, VERSION
from tests.features.log.dead_letter_suite import LETTER, bare
from tests.features.log.erasure_suite import LATER
from tests.features.log.samples import event, gathered, identify, spelled, spelled_events

EVENTS = [
    event(1, "ann"),
    identify(2, "ann", name="Ann"),
    event(3, "visitor"),
    identify(4, "visitor", anonymous=True),
    identify(5, "bob"),
    event(6, "ann", properties={"note": float("nan")}),
]
LETTERS = [LETTER, replace(LETTER, position=8), replace(LETTER, reason="again"), replace(LETTER, raw=b"{}")]
COLUMNS = ("source", "position", "field", "reason", "raw", "received", "customer")
"""The columns of a dead letter in version 1."""


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """A database as schema version 1 held it."""
    path = tmp_path / "log.db"
    names = list(dict.fromkeys(each.customer for each in EVENTS))
    times = rows.clamped(EVENTS, 0, history=True)
    codes = [names.index(each.customer) for each in EVENTS]
    absent = [-1] * len(EVENTS)
    stored = rows.stored(range(1, 7), EVENTS, times, codes, absent, absent)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMAS[0])
        connection.executemany("INSERT INTO customers VALUES (?, ?)", enumerate(names))
        connection.executemany(f"INSERT INTO events VALUES ({','.join('?' * 14)})", stored)
        connection.executemany(
            f"INSERT INTO dead_letters ({','.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ([getattr(letter, name) for name in COLUMNS] for letter in LETTERS),
        )
        connection.execute('UPDATE log SET "offset" = 6, received = ?', (EVENTS[-1].received,))
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
    return path


def test_a_database_of_version_1_keeps_what_it_holds(first_version: Path, tmp_path: Path) -> None:
    with closing(SqliteLog(first_version)) as log, closing(SqliteLog(tmp_path / "new.db")) as new:
        new.append(EVENTS, history=True)
        assert log.connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert log.digest() == new.digest()
        assert spelled(log, gathered(log.scan())) == spelled_events(EVENTS)
        assert log.append(EVENTS, history=True).accepted_count == 0
        assert [letter.number for letter in log.dead_letters(9)] == [1, 2, 4]
        assert bare(log.dead_letters(9)) == [LETTERS[0], LETTERS[1], LETTERS[3]]
        assert log.reject(LETTERS) == 0
        assert (len(log.merges()), log.trainings()) == (0, [])
        tables = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY name"
        assert log.connection.execute(tables).fetchall() == new.connection.execute(tables).fetchall()


def test_a_database_of_version_1_knows_whom_it_identified(first_version: Path) -> None:
    with closing(SqliteLog(first_version)) as log:
        log.append([identify(7, "ann", "visitor"), identify(8, "ann", "bob")])
        assert log.profile("ann") == ["ann", "visitor"]
        erased = log.erase("ann", LATER)
        assert (erased.events, erased.merges) == (7, 1)


def test_every_database_has_a_salt_of_its_own(first_version: Path, tmp_path: Path) -> None:
    salts = set()
    for path in (first_version, tmp_path / "new.db"):
        with closing(SqliteLog(path)) as log:
            salts.add(log.connection.execute("SELECT salt FROM log").fetchone()[0])
    assert {len(salt) for salt in salts} == {16}
    assert len(salts) == 2


def test_a_folder_of_version_1_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(ParquetLog(path, partitions=2)) as log:
        log.append(EVENTS, history=True)
        held = (log.digest(), gathered(log.scan()).tobytes())
    earlier = {
        name: value
        for name, value in json.loads((path / "log.json").read_text()).items()
        if name not in ("erased", "letters", "salt")
    }
    (path / "log.json").write_text(json.dumps(earlier | {"version": 1, "commit": 2}))
    letters = pa.Table.from_pylist([{name: getattr(letter, name) for name in COLUMNS} for letter in LETTERS[:2]])
    (path / "dead_letters").mkdir()
    pq.write_table(letters, folder.part(path / "dead_letters", 2))
    with closing(ParquetLog(path)) as log:
        assert (log.digest(), gathered(log.scan()).tobytes()) == held
        assert [letter.number for letter in log.dead_letters(9)] == [1, 2]
        assert log.reject(LETTERS) == 1
        assert [letter.number for letter in log.dead_letters(9)] == [1, 2, 3]
        log.append([identify(7, "ann", "visitor"), identify(8, "ann", "bob")])
        assert log.profile("ann") == ["ann", "visitor"]
        assert log.erase("visitor", LATER).events == 7
    manifest = json.loads((path / "log.json").read_text())
    assert (manifest["version"], manifest["letters"], len(manifest["salt"])) == (folder.VERSION, 3, 32)
