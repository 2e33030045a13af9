"""The states in PostgreSQL: the suite of all stores, and what only PostgreSQL can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import Event
from features.journey import JOURNEY
from features.log.contract import Appended, LogBusy, LogFull, LogMissing
from features.log.frame import frame_of
from features.log.postgres import PostgresLog
from features.log.postgres.errors import LogUnavailable
from features.log.postgres.session import Session
from serving.engine.state import StateStore, open_states
from serving.engine.state.postgres import PostgresStateStore
from tests import postgres
from tests.examples import examples
from tests.features.log.sealing import LATE, SealingPostgresLog
from tests.serving.conftest import NOW
from tests.serving.engine.state_suite import StateStoreSuite, event, replayed, state, swept

pytestmark = pytest.mark.slow

_OPENED: list[StateStore] = []


@pytest.fixture(autouse=True, scope="module")
def _all_are_closed() -> Iterator[None]:
    """Close what a test left open, as Hypothesis does when it gives up an example: psycopg warns of that."""
    yield
    for store in _OPENED:
        store.close()


class TestPostgres(StateStoreSuite):
    """The suite on PostgreSQL."""

    def open(self, folder: Path) -> StateStore:
        """The store in a schema of its own."""
        store = open_states(postgres.place(folder), JOURNEY, busy_seconds=20)
        _OPENED.append(store)
        return store

    def age(self, store: StateStore) -> None:
        """Stamp every state with another fingerprint."""
        assert isinstance(store, PostgresStateStore)
        with store.transaction():
            store.log.session.run("UPDATE states SET fingerprint = 'another', state = decode('00', 'hex')")

    # Fewer examples: each makes a schema, and each erasure writes its tables anew.
    test_a_state_is_the_fold_of_the_log_whatever_happens = settings(max_examples=examples(12), deadline=None)(
        given(data=st.data())(
            StateStoreSuite.test_a_state_is_the_fold_of_the_log_whatever_happens.hypothesis.inner_test  # type: ignore[attr-defined]
        )
    )


class SealingStates(PostgresStateStore):
    """A store whose events leave the database for the history right after they were recorded."""

    def record(self, events: Sequence[Event]) -> Appended:
        """Record, then seal."""
        appended = super().record(events)
        if not self.log.session.depth:
            self.log.keeping.seal(LATE)
        return appended


class TestSealed(TestPostgres):
    """The suite on PostgreSQL, on a log whose events leave the database at once."""

    def open(self, folder: Path) -> StateStore:
        """The store in a schema of its own."""
        store = SealingStates(SealingPostgresLog(postgres.place(folder), busy_seconds=20), JOURNEY)
        _OPENED.append(store)
        return store

    # A class of its own for Hypothesis, which refuses one test on two of them.
    test_a_state_is_the_fold_of_the_log_whatever_happens = settings(max_examples=examples(12), deadline=None)(
        given(data=st.data())(
            StateStoreSuite.test_a_state_is_the_fold_of_the_log_whatever_happens.hypothesis.inner_test  # type: ignore[attr-defined]
        )
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PostgresStateStore]:
    """An empty store, impatient."""
    with closing(PostgresStateStore(PostgresLog(postgres.place(tmp_path), busy_seconds=0.2), JOURNEY)) as store:
        yield store


def cut(store: PostgresStateStore, url: str) -> None:
    """Have the server drop the store's connection."""
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (store.log.session.connection.info.backend_pid,))


def test_a_locked_store_is_read_but_not_written(store: PostgresStateStore, tmp_path: Path) -> None:
    store.record([event(1)])
    with psycopg.connect(postgres.place(tmp_path)) as other:
        other.execute("SELECT * FROM log FOR UPDATE")
        for write in (store.check, lambda: store.record([event(2)])):
            with pytest.raises(LogBusy):
                write()
        assert state(store, "anna") == replayed(store, "anna")
    store.record([event(2)])
    assert state(store, "anna") == replayed(store, "anna")


def test_a_dropped_connection_is_made_anew(store: PostgresStateStore, tmp_path: Path) -> None:
    url = postgres.place(tmp_path)
    store.record([event(1)])
    for ask in (store.check, store.refresh, lambda: store.load("anna"), lambda: store.record([event(2)])):
        cut(store, url)
        ask()
    with pytest.raises(LogUnavailable), store.transaction():
        store.record([event(3)])
        cut(store, url)
        store.record([event(4)])
    assert store.log.count() == 2
    assert state(store, "anna") == replayed(store, "anna")


@pytest.mark.parametrize("table", ["events", "states"])
def test_what_the_server_cannot_write_is_not_acknowledged(
    store: PostgresStateStore, tmp_path: Path, table: str
) -> None:
    url = postgres.place(tmp_path)
    store.record([event(1)])
    postgres.run(
        url,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'no room' USING ERRCODE = '53100'; END $$",
        f"CREATE TRIGGER fails BEFORE INSERT ON {table} EXECUTE FUNCTION fail()",
    )
    with pytest.raises(LogFull, match=r"no room; .*df -h"):
        store.record([event(2), event(3, "ben")])
    postgres.run(url, f"DROP TRIGGER fails ON {table}")
    assert (store.log.count(), store.log.customers.names()) == (1, ["anna"])
    assert state(store, "anna") == replayed(store, "anna")
    assert store.record([event(2), event(3, "ben")]).accepted == [True, True]
    store.check()


@pytest.mark.parametrize("has_history", [False, True])
@pytest.mark.parametrize("number", [1, 300])
def test_recording_takes_as_many_round_trips_for_one_event_as_for_many(
    store: PostgresStateStore, monkeypatch: pytest.MonkeyPatch, number: int, has_history: bool
) -> None:
    trips = 0
    if has_history:
        store.record([event(number, f"h-{number}") for number in range(1000, 1010)])
        store.log.keeping.seal(LATE)
        store.record([event(2000)])

    def counted(self: Session, ask: Callable[[], Any]) -> Any:
        nonlocal trips
        trips += 1
        return ask()

    monkeypatch.setattr(Session, "_kept", counted)
    store.record([event(each, f"c-{each % 50}") for each in range(number)])
    assert trips == 4  # and the commit, along with the states
    monkeypatch.undo()
    assert state(store, "c-0") == replayed(store, "c-0")


def test_a_database_of_an_earlier_release_learns_of_the_history(store: PostgresStateStore, tmp_path: Path) -> None:
    store.record([event(1), event(2, "ben")])
    postgres.run(
        postgres.place(tmp_path),
        "DROP TRIGGER states_of_the_imported ON imported",
        "DROP TRIGGER states_of_the_sealed ON events",
        "DROP TRIGGER states_of_the_erased ON customers",
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN DELETE FROM states WHERE customer IN (SELECT customer FROM removed); RETURN NULL; END $$",
        "CREATE TRIGGER states_of_the_erased AFTER DELETE ON events REFERENCING OLD TABLE AS removed "
        "FOR EACH STATEMENT EXECUTE FUNCTION forget()",
    )
    with closing(PostgresStateStore(PostgresLog(postgres.place(tmp_path)), JOURNEY)) as again:
        assert again.log.keeping.seal(LATE) == 2
        assert len(swept(again)) == 2
        events = [event(3, at=NOW - 9), event(4, "carla")]
        assert again.log.append_columns(frame_of(events, range(2))).all()
        assert list(swept(again)) == [again.log.customers.code("ben")]
        for name in ("anna", "ben", "carla"):
            assert state(again, name) == replayed(again, name)
        assert (again.heal(), len(swept(again))) == (2, 3)
        again.erase("ben", NOW)
        assert len(swept(again)) == 2


def test_events_written_by_the_log_alone_are_not_overlooked(store: PostgresStateStore) -> None:
    store.record([event(1)])
    store.log.append([event(2)])
    assert state(store, "anna") == replayed(store, "anna")
    store.record([event(3)])
    assert state(store, "anna") == replayed(store, "anna")


def test_many_stale_customers_are_replayed_together(store: PostgresStateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.engine.state.folding.FEW", 3)
    store.log.append([event(number, f"c-{number % 8}", at=NOW - number) for number in range(40)], history=True)
    assert store.heal() == 8
    assert store.heal() == 0
    assert all(state(store, f"c-{number}") == replayed(store, f"c-{number}") for number in range(8))


def test_a_replay_does_not_overwrite_what_was_recorded_meanwhile(
    store: PostgresStateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.log.append([event(number, at=NOW - 9) for number in range(3)], history=True)
    put = PostgresStateStore._keep

    def late(self: PostgresStateStore, *arguments: Any) -> int:
        with closing(PostgresStateStore(PostgresLog(postgres.place(tmp_path), busy_seconds=1), JOURNEY)) as live:
            live.record([event(50)])
        return put(self, *arguments)

    monkeypatch.setattr(PostgresStateStore, "_keep", late)
    store.rebuild()
    assert state(store, "anna") == replayed(store, "anna")
    assert JOURNEY.read(store.load("anna").states, 0, NOW)[JOURNEY.index["purchases_ever"]] == 4


def test_a_store_is_not_made_where_one_must_be(tmp_path: Path) -> None:
    with pytest.raises(LogMissing):
        open_states(postgres.place(tmp_path), JOURNEY, busy_seconds=1, create=False)


def test_its_identity_is_that_of_the_log(store: PostgresStateStore, tmp_path: Path) -> None:
    with closing(open_states(postgres.place(tmp_path), JOURNEY, busy_seconds=1, create=False)) as other:
        assert other.identity == store.identity
        assert not other.instant


def test_who_is_erased_while_states_are_healed_is_left_out(
    store: PostgresStateStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.log.append([event(1, "ann"), event(2, "bob")])
    profile = store.log.profile

    def late(customer: str) -> list[str]:
        with closing(open_states(postgres.place(tmp_path), JOURNEY, busy_seconds=20)) as other:
            other.erase("ann", NOW)
        return profile(customer)

    monkeypatch.setattr(store.log, "profile", late)
    assert store.heal() == 1
    assert state(store, "bob") == replayed(store, "bob")
