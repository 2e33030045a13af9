"""The log in PostgreSQL: the suite of all logs, and what only a server can get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Barrier

import numpy as np
import psycopg
import pytest

from features.log import open_log
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
from features.log.postgres import PostgresLog
from features.log.postgres.errors import LogUnavailable
from features.log.postgres.schema import VERSION
from tests import postgres
from tests.features.log.samples import event, identify
from tests.features.log.suite import EventLogSuite
from tests.postgres import run

LATER = event(10_000).received


class TestPostgres(EventLogSuite):
    """The suite on PostgreSQL."""

    def open(self, place: Path) -> EventLog:
        """The log in a schema of its own."""
        return PostgresLog(postgres.place(place))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A schema of its own."""
    return postgres.place(tmp_path)


@pytest.fixture
def log(url: str) -> Iterator[PostgresLog]:
    """An empty log, impatient."""
    with closing(PostgresLog(url, busy_seconds=0.2)) as log:
        yield log


def cut(url: str, log: PostgresLog) -> None:
    """Have the server drop the log's connection."""
    run(url, f"SELECT pg_terminate_backend({log.session.connection.info.backend_pid}, 5000)")


def test_a_url_opens_it(url: str) -> None:
    with pytest.raises(LogMissing, match=r"no event log at postgresql://.*; make one with: waypost import"):
        open_log(url, create=False)
    for _ in range(2):
        with closing(open_log(url)) as log:
            assert isinstance(log, PostgresLog)


def test_a_dropped_connection_is_made_anew(url: str, log: PostgresLog) -> None:
    log.append([event(1)])
    cut(url, log)
    assert log.count() == 1
    cut(url, log)
    assert log.append([event(2)]).accepted == [True]
    with pytest.raises(LogUnavailable), log.transaction():
        log.append([event(3, "bob")])
        cut(url, log)
        log.append([event(4)])
    assert (log.count(), log.customers.names()) == (2, ["ann"])
    assert log.append([event(3, "bob")]).accepted == [True]


def test_another_log_in_its_place_is_not_written(url: str, log: PostgresLog, tmp_path: Path) -> None:
    log.append([event(1)])
    (schema,) = log.session.run("SELECT current_schema()")[0]
    cut(url, log)
    run(url, f"DROP SCHEMA {schema} CASCADE", f"CREATE SCHEMA {schema}")
    with pytest.raises(LogMissing, match="no event log"):
        log.append([event(2)])
    PostgresLog(url).close()
    with pytest.raises(LogMissing, match="removed or replaced"):
        log.append([event(2)])


def test_a_locked_log_is_read_but_not_written(url: str, log: PostgresLog) -> None:
    log.append([event(1)])
    with psycopg.connect(url) as other:
        other.execute("SELECT * FROM log FOR UPDATE")
        with pytest.raises(LogBusy, match="pg_stat_activity"):
            log.append([event(2)])
        assert (log.count(), len(log.history("ann"))) == (1, 1)
    assert log.append([event(2)]).accepted == [True]


def test_writers_at_once_in_any_order_do_not_block_each_other(url: str) -> None:
    def write(own: int) -> int:
        draw, accepted = np.random.default_rng(own), 0
        with closing(PostgresLog(url)) as log:
            for start in range(0, 200, 10):
                order = draw.permutation(10)
                batch = [event(start, f"c{each}", item=f"i{each}", message_id=f"{start}-{each}") for each in order]
                accepted += log.append([*batch, event(start, "own", message_id=f"own-{own}-{start}")]).accepted_count
        return accepted

    with ThreadPoolExecutor(3) as pool:
        accepted = sum(pool.map(write, range(3)))
    with closing(PostgresLog(url)) as log:
        assert log.count() == accepted == 200 + 60
        assert len(log.customers.names()) == len(set(log.customers.names())) == 11


def test_many_may_make_it_at_once(url: str) -> None:
    ready = Barrier(5)

    def make(own: int) -> bool:
        ready.wait()
        with closing(PostgresLog(url)) as log:
            return log.append([event(own)]).accepted[0]

    with ThreadPoolExecutor(5) as pool:
        assert all(pool.map(make, range(5)))


def test_it_grows_from_version_0(url: str) -> None:
    run(url, "CREATE TABLE waypost (version integer PRIMARY KEY)", "INSERT INTO waypost VALUES (0)")
    with closing(PostgresLog(url)) as log:
        assert log.session.run("SELECT version FROM waypost") == [(VERSION,)]
        assert log.append([event(1)]).accepted == [True]


def test_a_log_of_version_1_learns_its_newest_event_about_people(url: str) -> None:
    with closing(PostgresLog(url)) as log:
        log.append([event(1), identify(2, "ann", "visitor"), event(3), event(4, "bob")])
        known = log.about_people()
    run(
        url,
        "DROP TABLE segments, erased_from_database, imported",
        "DROP INDEX events_by_offset",
        "ALTER TABLE log DROP segments, DROP sealed, DROP newest_segment, DROP history, DROP people",
        "UPDATE waypost SET version = 1",
    )
    with closing(PostgresLog(url)) as log:
        assert log.about_people() == known == 2


def test_a_newer_schema_is_refused(url: str, log: PostgresLog) -> None:
    run(url, f"UPDATE waypost SET version = {VERSION + 1}")
    with pytest.raises(LogVersion, match=rf"schema version {VERSION + 1}, .* up to {VERSION}; install the newer"):
        PostgresLog(url)


def test_tables_of_another_program_are_left_alone(url: str) -> None:
    run(url, "CREATE TABLE theirs (a integer)")
    with pytest.raises(LogVersion, match=r"tables of another program, such as 'theirs'; name a database or a schema"):
        PostgresLog(url)
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace")
        assert tables.fetchall() == [("theirs",)]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", LogFull),
        ("40P01", LogBusy),
        ("40001", LogBusy),
        ("57014", LogBusy),
        ("42501", LogDenied),
        ("25006", LogDenied),
        ("XX001", LogCorrupt),
        ("58030", LogError),
        ("53200", LogUnavailable),
    ],
)
def test_what_the_server_reports_says_what_to_do(url: str, log: PostgresLog, state: str, kind: type[LogError]) -> None:
    log.append([event(1)])
    run(
        url,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE 'no' USING ERRCODE = '{state}'; END $$",
        "CREATE TRIGGER fails BEFORE INSERT ON events EXECUTE FUNCTION fail()",
    )
    with pytest.raises(kind, match=r"the log postgresql://.*: no; \w+") as failed:
        log.append([event(2, "bob")])
    assert type(failed.value) is kind
    run(url, "DROP TRIGGER fails ON events")
    assert (log.count(), log.customers.names()) == (1, ["ann"])
    assert log.append([event(2, "bob")]).accepted == [True]


def test_what_has_failed_is_not_acknowledged(log: PostgresLog) -> None:
    with pytest.raises(LogBusy, match="answered ROLLBACK to COMMIT"), log.transaction() as session:
        log.append([event(1)])
        with suppress(psycopg.Error):
            session.run("SELECT 1 / 0")
    assert log.count() == 0


def test_an_inner_transaction_is_undone_by_itself(log: PostgresLog) -> None:
    with log.transaction():
        log.append([event(1)])
        for breaks in (lambda: log.session.run("SELECT 1 / 0"), lambda: log.append([event(3, properties={"a": {1}})])):
            with pytest.raises((psycopg.Error, TypeError)), log.transaction():
                log.append([event(2, "bob")])
                breaks()
        log.append([event(4, "cid")])
    assert (log.customers.names(), log.count(), log.offset()) == (["ann", "cid"], 2, 2)


def test_within_a_transaction_the_offset_is_that_of_what_it_appended(log: PostgresLog) -> None:
    with log.transaction():
        before = log.offset()
        log.append([event(1)])
        assert (before, log.offset()) == (0, 1)
        with pytest.raises(ZeroDivisionError), log.transaction():
            log.append([event(2)])
            raise ZeroDivisionError
        assert log.offset() == 1


def test_a_commit_waits_for_the_disk_whatever_the_database_says(url: str, log: PostgresLog) -> None:
    (database,) = log.session.run("SELECT current_database()")[0]
    run(url, f"ALTER DATABASE {database} SET synchronous_commit = off")
    try:
        cut(url, log)
        assert log.session.run("SHOW synchronous_commit") == [("on",)]
    finally:
        run(url, f"ALTER DATABASE {database} RESET synchronous_commit")


def test_a_scan_that_outlasts_the_wait_is_reported_and_can_be_made_good(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.log.scans.CHUNK", 10)
    log.append([event(number, f"customer-{number % 9}") for number in range(90)])
    scan = log.scan()
    next(scan)
    log.append([event(100, "customer-3")])
    with pytest.raises(LogBusy, match="erase the same customer again when it is over"):
        log.erase("customer-3", LATER)
    assert log.customers.code("customer-3") is None
    assert sum(map(len, scan)) == 80
    assert log.erase("customer-3", LATER).rows == 0
    assert log.session.run("SELECT count(*) FROM remnants") == [(0,)]


def test_an_erasure_inside_a_transaction_is_completed_after_it(log: PostgresLog) -> None:
    log.append([event(number, f"customer-{number}") for number in range(20)])
    with log.transaction():
        log.erase("customer-7", LATER)
        log.append([event(30_000, "customer-30")])
    assert (log.session.run("SELECT count(*) FROM remnants"), log.count()) == ([(0,)], 20)


def test_an_erasure_that_is_undone_takes_nothing_from_others(log: PostgresLog) -> None:
    log.append([event(1, "visitor"), event(2, "ann", properties={"anonymous_id": "visitor"})])
    with log.transaction():
        with pytest.raises(ZeroDivisionError), log.transaction():
            log.erase("visitor", LATER)
            raise ZeroDivisionError
        log.erase("dan", LATER)
    assert log.events("ann", 1)[0].properties == {"anonymous_id": "visitor"}


def test_an_inner_transaction_that_fails_at_once_undoes_nothing_before_it(log: PostgresLog) -> None:
    with log.transaction():
        with log.transaction() as session:
            session.later("INSERT INTO trainings VALUES ('one', 1, 1)")
        with pytest.raises(ZeroDivisionError), log.transaction():
            raise ZeroDivisionError
    assert [each.version for each in log.trainings()] == ["one"]
