"""The states in SQLite: the suite of all stores, and what only SQLite can get wrong."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import Event
from features.journey import JOURNEY
from features.log.contract import Appended, LogBusy, LogError, LogMissing
from serving.engine.state import SqliteStateStore, StateStore
from serving.engine.state.sqlite import StoreUnknown, open_states
from tests.examples import examples
from tests.features.log.sealing import LATE, SealingLog
from tests.serving.conftest import NOW
from tests.serving.engine.state_suite import StateStoreSuite, event, identify, replayed, state, swept


class TestSqlite(StateStoreSuite):
    """The suite on SQLite."""

    def open(self, folder: Path) -> StateStore:
        """The store in a folder."""
        return open_states(f"sqlite:///{folder / 'waypost.db'}", JOURNEY, busy_seconds=20)

    def age(self, store: StateStore) -> None:
        """Stamp every state with another fingerprint."""
        assert isinstance(store, SqliteStateStore)
        with store.transaction():
            store.log.connection.execute("UPDATE states SET fingerprint = 'another', state = zeroblob(8)")


class SealingStates(SqliteStateStore):
    """A store whose events leave the database for the history right after they were recorded."""

    def record(self, events: Sequence[Event]) -> Appended:
        """Record, then seal."""
        appended = super().record(events)
        if not self.log.connection.in_transaction:
            self.log.keeping.seal(LATE)
        return appended


class TestSealed(TestSqlite):
    """The suite on SQLite, on a log whose events leave the database at once."""

    def open(self, folder: Path) -> StateStore:
        """The store in a folder."""
        return SealingStates(SealingLog(folder / "waypost.db", busy_seconds=20), JOURNEY)

    # A class of its own for Hypothesis, which refuses one test on two of them.
    test_a_state_is_the_fold_of_the_log_whatever_happens = settings(max_examples=examples(40), deadline=None)(
        given(data=st.data())(
            StateStoreSuite.test_a_state_is_the_fold_of_the_log_whatever_happens.hypothesis.inner_test  # type: ignore[attr-defined]
        )
    )


def opened(folder: Path, busy_seconds: float = 0.1) -> SqliteStateStore:
    """The store in a folder, impatient."""
    return open_states(f"sqlite:///{folder / 'waypost.db'}", JOURNEY, busy_seconds=busy_seconds)


def test_a_log_without_states_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnknown, match=r"sqlite:///data/waypost\.db"):
        open_states(f"parquet:{tmp_path / 'history'}", JOURNEY, busy_seconds=1)


def test_a_locked_store_is_read_but_not_written(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.record([event(1)])
    with closing(sqlite3.connect(tmp_path / "waypost.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for write in (store.check, lambda: store.record([event(2)])):
            with pytest.raises(LogBusy):
                write()
        assert state(store, "anna") == replayed(store, "anna")
        other.execute("ROLLBACK")
    store.record([event(2)])
    assert state(store, "anna") == replayed(store, "anna")
    store.close()


def test_events_written_by_the_log_alone_are_not_overlooked(tmp_path: Path) -> None:
    store, other = opened(tmp_path), opened(tmp_path)
    store.record([event(1)])
    other.log.append([event(2)])
    assert state(store, "anna") == replayed(store, "anna")
    store.record([event(3)])
    assert state(store, "anna") == replayed(store, "anna")
    other.close()
    store.close()


def test_a_database_of_an_earlier_release_learns_of_merges(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.record([event(1), event(2, "x"), identify(3, "anna", "x")])
    for trigger in ("states_of_the_past", "states_of_the_merged", "states_of_the_imported", "states_of_the_sealed"):
        store.log.connection.execute(f"DROP TRIGGER {trigger}")
    store.log.connection.execute(
        "CREATE TRIGGER states_of_the_past AFTER INSERT ON events WHEN NEW.received < (SELECT received FROM log) "
        "BEGIN DELETE FROM states WHERE customer = NEW.customer; END"
    )
    store.close()
    again = opened(tmp_path)
    again.log.append([event(4, "x", at=NOW - 9)], history=True)
    assert state(again, "anna") == replayed(again, "anna")
    again.log.append([event(5, "x")])
    assert state(again, "x") == replayed(again, "x")
    again.log.unmerge("anna", NOW)
    assert state(again, "anna") == replayed(again, "anna")
    again.close()


def test_a_batch_of_more_customers_than_are_asked_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.engine.state.sqlite.ASKED_AT_ONCE", 4)
    store = opened(tmp_path)
    for start in (0, 30):
        store.record([event(start + number, f"c-{number % 11}", at=NOW + start + number) for number in range(30)])
    assert all(state(store, f"c-{number}") == replayed(store, f"c-{number}") for number in range(11))
    assert store.heal() == 0
    store.close()


def test_many_stale_customers_are_replayed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.engine.state.folding.FEW", 3)
    store = opened(tmp_path)
    store.log.append([event(number, f"c-{number % 8}", at=NOW - number) for number in range(40)], history=True)
    assert store.heal() == 8
    assert store.heal() == 0
    assert all(state(store, f"c-{number}") == replayed(store, f"c-{number}") for number in range(8))
    store.close()


def test_a_replay_does_not_overwrite_what_was_recorded_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, live = opened(tmp_path), opened(tmp_path)
    store.log.append([event(number, at=NOW - 9) for number in range(3)], history=True)
    store.log.append([event(4, "x", at=NOW - 9), event(5, "y", at=NOW - 9)], history=True)
    put = SqliteStateStore._keep

    def late(self: SqliteStateStore, *arguments: Any) -> int:
        live.record([event(50), event(51, "x"), identify(52, "y", "x")])
        return put(self, *arguments)

    monkeypatch.setattr(SqliteStateStore, "_keep", late)
    store.rebuild()
    for name in ("anna", "x", "y"):
        assert state(store, name) == replayed(store, name)
    assert len(swept(store)) == 2
    assert JOURNEY.read(store.load("anna").states, 0, NOW)[JOURNEY.index["purchases_ever"]] == 4
    live.close()
    store.close()


def test_a_check_writes_and_so_finds_a_disk_without_room(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.record([event(1)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        with pytest.raises(LogError):
            store.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.check()
    store.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_removed_or_replaced_is_not_written(tmp_path: Path, replaced: bool) -> None:
    store = opened(tmp_path)
    store.record([event(1)])
    (tmp_path / "waypost.db").rename(tmp_path / "away.db")
    if replaced:
        shutil.copy(tmp_path / "away.db", tmp_path / "waypost.db")
    for write in (store.check, lambda: store.record([event(2)])):
        with pytest.raises(LogMissing, match="removed or replaced"):
            write()
    store.close()


def test_a_store_is_not_made_where_one_must_be(tmp_path: Path) -> None:
    with pytest.raises(LogMissing):
        open_states(f"sqlite:///{tmp_path / 'waypost.db'}", JOURNEY, busy_seconds=1, create=False)
    assert not (tmp_path / "waypost.db").exists()
