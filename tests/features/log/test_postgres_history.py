"""The history of a log in PostgreSQL: where it lies, who sees it, and that no event is missed while it moves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from features.events import Event
from features.log.contract import EventLog, LogDenied, LogError
from features.log.frame import frame_of
from features.log.postgres import PostgresLog, folder
from features.log.postgres.folder import VARIABLE, history_store
from features.log.sqlite import SqliteLog
from serving.settings import read_settings
from tests import postgres
from tests.features.log.erasure_suite import LATER
from tests.features.log.samples import event, gathered, identify, shop
from tests.features.log.sealing import LATE, SealingPostgresLog, check_what_is_due
from tests.features.log.searching import holders
from tests.features.log.suite import EventLogSuite

ROOT = Path(__file__).parents[3]


class TestSealed(EventLogSuite):
    """The suite, on a log whose events leave the database at once."""

    def open(self, place: Path) -> EventLog:
        """The log in a schema of its own."""
        return SealingPostgresLog(postgres.place(place))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A schema of its own."""
    return postgres.place(tmp_path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the histories."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "histories"))
    return tmp_path / "histories"


@pytest.fixture
def log(url: str, home: Path) -> Iterator[PostgresLog]:
    """An empty log, impatient."""
    with closing(PostgresLog(url, busy_seconds=0.2)) as log:
        yield log


def add(log: PostgresLog, *events: Event) -> list[bool]:
    """Import events in columns."""
    accepted: list[bool] = log.append_columns(frame_of(events, range(len(events)))).tolist()
    return accepted


def test_events_are_due_when_enough_of_the_oldest_are_old(log: PostgresLog) -> None:
    check_what_is_due(log)


def test_each_log_has_a_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert history_store("", "shop", "public").folder == home / "history-of-shop"
    assert history_store("", "shop", "eu/de").folder == home / "history-of-shop.eu%2Fde"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(folder, "UNNAMED", "data")
    assert history_store("", "shop", "public").folder == Path.cwd() / "data" / "history-of-shop"


def test_the_folder_is_made_with_the_first_segment_and_noted(log: PostgresLog, home: Path) -> None:
    log.append(shop(20))
    assert (log.segments(), home.exists()) == (None, False)
    assert log.keeping.seal(LATE) == 20
    (folder,) = home.iterdir()
    assert log.session.run("SELECT history FROM log") == [(str(folder),)]
    assert folder.name.startswith("history-of-waypost_test_")
    assert log.session.run("SELECT count(*) FROM events") == [(0,)]
    assert (log.count(), len(gathered(log.scan()))) == (20, 20)


def test_without_a_named_folder_an_import_stays_in_the_database(
    log: PostgresLog, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    assert add(log, event(1), event(2), event(1)) == [True, True, False]
    assert log.segments() is None
    assert log.session.run("SELECT count(*) FROM events") == [(2,)]
    for named, hours in ({}, 0.0), ({VARIABLE: "/srv/waypost"}, 24.0):
        assert read_settings({"WAYPOST_STORE": url, **named}).seal_hours == hours
    assert read_settings({}).seal_hours == 24.0


def test_another_folder_is_refused(
    log: PostgresLog, url: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(log, event(1))
    (folder,) = home.iterdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    told = rf"history of the log is not there at {tmp_path}/elsewhere/.*; it was written at {folder}\..* {VARIABLE}"
    with pytest.raises(LogError, match=told):
        PostgresLog(url)
    shutil.copytree(home, tmp_path / "elsewhere")
    with closing(PostgresLog(url)) as moved:
        assert moved.find("message-1") == event(1)
        assert add(moved, event(2)) == [True]
        assert moved.session.run("SELECT history FROM log") == [(str(tmp_path / "elsewhere" / folder.name),)]


def test_who_has_it_open_is_told_too_when_the_folder_goes(log: PostgresLog, home: Path) -> None:
    add(log, event(1))
    home.rename(home.with_name("away"))
    log.keeping.forget()
    asks: list[Callable[[], object]] = [
        lambda: log.history("ann"), lambda: list(log.scan()), lambda: log.find("message-1"),
        lambda: log.append([event(1)]), lambda: add(log, event(2)), lambda: log.keeping.seal(LATE),
    ]  # fmt: skip
    for ask in asks:
        with pytest.raises(LogError, match="the history of the log is not there"):
            ask()
    home.with_name("away").rename(home)
    assert log.append([event(1), event(2)]).accepted == [False, True]


def test_the_folder_of_another_log_is_left_alone(log: PostgresLog, url: str, home: Path, tmp_path: Path) -> None:
    add(log, event(1))
    (folder,) = home.iterdir()
    held = sorted(folder.rglob("*"))
    with closing(PostgresLog(postgres.place(tmp_path / "other"))) as other:
        shutil.move(folder, other.keeping.folder)
        with pytest.raises(LogError, match="holds the history of another log"):
            add(other, event(1))
        assert other.count() == 0
        shutil.move(other.keeping.folder, folder)
    assert sorted(folder.rglob("*")) == held
    assert log.find("message-1") == event(1)


def test_a_folder_that_cannot_be_made_is_told(log: PostgresLog, home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(LogDenied, match=f"cannot be used: .*{VARIABLE}"):
        add(log, event(1))
    assert log.append([event(1)]).accepted == [True]


def test_a_log_that_was_open_before_sees_the_history(log: PostgresLog, url: str) -> None:
    log.append([event(1), event(2, "bob")])
    with closing(PostgresLog(url)) as other:
        assert add(other, event(0), event(1), event(3, "cid")) == [True, False, True]
        assert other.keeping.seal(LATE) == 2
    assert [each.message_id for each in log.events("ann", 9)] == ["message-1", "message-0"]
    assert (len(log.history("ann")), log.find("message-3")) == (2, event(3, "cid"))
    assert log.append([event(0), event(3), event(4)]).accepted == [False, False, True]
    assert (log.count(), log.offset(), log.span()) == (5, 7, (event(0).received, event(4).received))


def test_what_one_transaction_does_to_the_history_the_next_append_in_it_knows(log: PostgresLog) -> None:
    log.append([event(1), event(2, "bob")])
    log.keeping.seal(LATE)
    with log.transaction():
        assert log.erase("ann", LATER).events == 1
        assert log.append([event(1, "dan"), event(2, "dan")]).accepted == [True, False]
    found = [log.find(f"message-{number}") for number in (1, 2)]
    assert [each.customer if each else None for each in found] == ["dan", "bob"]
    assert (log.count(), log.offset()) == (2, 3)


def test_what_is_undone_leaves_the_history_as_it_was(log: PostgresLog) -> None:
    log.append([event(1), event(2, "bob")])
    log.keeping.seal(LATE)
    before = (log.digest(), gathered(log.scan()).tobytes())
    with pytest.raises(ZeroDivisionError), log.transaction():
        log.erase("ann", LATER)
        assert log.append([event(1, "dan")]).accepted == [True]
        raise ZeroDivisionError
    assert (log.digest(), gathered(log.scan()).tobytes()) == before
    assert (len(log.history("ann")), log.find("message-1")) == (1, event(1))
    assert add(log, event(3), event(1)) == [True, False]


def test_an_erasure_removes_what_a_killed_import_left(log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append([event(1, "live-customer")])
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

        def die(*_: object) -> None:
            patched.setattr(log.keeping, "_sweep", die)
            raise KeyboardInterrupt

        patched.setattr(log.keeping, "list_segment", die)
        add(log, event(2, "live-customer"))
    folder = log.keeping.folder
    assert (log.segments(), len(list(folder.glob("events-*")))) == (None, 2)
    log.erase("live-customer", LATER)
    assert list(folder.glob("events-*")) == []
    add(log, event(2, "bob"), event(3, "sealed-customer"))
    log.append([event(4, "live-customer", received=LATER)])
    add(log, event(5, "bob"))
    assert set(holders(folder, ["live-customer", "sealed-customer"])) == {"live-customer", "sealed-customer"}
    for name in ("live-customer", "sealed-customer"):
        log.erase(name, LATER + 1)
    assert holders(folder, ["live-customer", "sealed-customer"]) == {}


@pytest.mark.parametrize("kind", [PostgresLog, SqliteLog])
def test_no_read_misses_an_event_that_is_being_sealed(
    kind: type[PostgresLog] | type[SqliteLog], url: str, home: Path, tmp_path: Path
) -> None:
    place = url if kind is PostgresLog else str(tmp_path / "log.db")

    def seal() -> int:
        with closing(kind(place)) as other:
            return sum(other.keeping.seal(LATE, most=2) for _ in range(60))

    with closing(kind(place)) as log, ThreadPoolExecutor(1) as pool:
        log.append([event(number) for number in range(120)])
        sealing = pool.submit(seal)
        reads = 0
        while not sealing.done():
            assert len(log.history("ann")) == len(log.events("ann", 999)) == log.count() == 120
            assert len(gathered(log.scan())) == 120
            assert log.find(f"message-{reads % 120}") == event(reads % 120)
            reads += 1
        assert (sealing.result(), log.segments() is not None) == (120, True)
        assert reads


def test_who_joins_by_an_import_shows_at_once(log: PostgresLog) -> None:
    log.append([event(1, "visitor")])
    assert add(log, event(2), identify(3, "ann", "visitor"), event(4)) == [True] * 3
    assert (log.profile("visitor"), log.about_people(), log.offset()) == (["ann", "visitor"], 3, 5)
    assert [each.message_id for each in log.events("ann", 9)] == [f"message-{number}" for number in (4, 3, 2, 1)]


_READING = """
import sys
from contextlib import closing
from features.log.postgres import PostgresLog
from tests.features.log.samples import event
with closing(PostgresLog(sys.argv[1])) as log:
    log.append([event(1), event(2)])
    log.history("ann"), log.events("ann", 1), log.find("message-1"), log.find("none"), list(log.scan()), log.count()
    list(log.by_customer()), log.segments(), log.erase("ann", event(3).received)
print("polars" in sys.modules)
"""


def test_a_log_without_history_needs_no_columns(url: str) -> None:
    ran = subprocess.run([sys.executable, "-c", _READING, url], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout == "False\n"
