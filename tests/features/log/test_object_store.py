"""A history in an object store: several servers, each with copies of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pytest
from fsspec.registry import known_implementations

from features.log.contract import EventLog, LogBusy, LogError
from features.log.history import keeping
from features.log.history.objects import without_password
from features.log.postgres import PostgresLog
from features.log.postgres.folder import COPIES, COPIES_FOLDER, VARIABLE
from serving.settings import read_settings
from tests import postgres
from tests.features.log.erasure_suite import LATER, ErasureSuite
from tests.features.log.object_stores import Servers, add, objects, servers
from tests.features.log.order_suite import OrderSuite
from tests.features.log.samples import event, gathered, shop, spelled
from tests.features.log.sealing import LATE, SealingPostgresLog
from tests.features.log.searching import holders

__all__ = ["servers"]

ROOT = Path(__file__).parents[3]


class TestSealed(OrderSuite, ErasureSuite):
    """The parts of the suite that change most, on a log whose events leave for an object store at once."""

    @pytest.fixture(autouse=True)
    def _memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        postgres.database()  # the first time, it names a folder of histories for the process
        monkeypatch.setenv(VARIABLE, f"memory://{tmp_path.name}")
        monkeypatch.setenv(COPIES, str(tmp_path / "copies"))

    def open(self, place: Path) -> EventLog:
        """The log in a schema of its own."""
        return SealingPostgresLog(postgres.place(place))


def test_two_servers_with_copies_of_their_own_read_and_write_one_log(servers: Servers) -> None:
    first, second = servers("a"), servers("b")
    assert add(first, event(1), event(2, "bob")) == [True, True]
    assert add(second, event(2, "bob"), event(3)) == [False, True]
    first.append([event(4), event(5, "cid")])
    assert second.keeping.seal(LATE) == 2
    for log in first, second:
        assert log.append([event(number) for number in range(1, 6)]).accepted_count == 0
        assert log.find("message-5") == event(5, "cid")
        assert len(log.history("ann")) == 3
    assert spelled(first, gathered(first.scan())) == spelled(second, gathered(second.scan()))
    assert len(objects(servers.bucket)) == 6
    for name in "ab":
        (copies,) = servers.copies(name).iterdir()
        assert {path.stem for path in copies.glob("*.index")} == {f"events-{number:08}" for number in (1, 2, 3)}


def test_engines_read_the_store_as_it_is(servers: Servers) -> None:
    log, events = servers("a"), shop(400)
    for start in range(0, 400, 50):
        add(log, *events[start : start + 50])
    assert log.keeping.compact() == 8
    (home,) = servers.bucket.iterdir()
    assert pl.scan_parquet(f"file://{home}/events-*.parquet").select(pl.len()).collect().item() == 400
    query = (
        f"select count(*) from '{home}/events-*.parquet' e join '{home}/customers/*.parquet' c on e.customer = c.code"
    )
    assert duckdb.execute(query).fetchone() == (400,)


def test_a_scan_reads_on_what_another_server_has_merged(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = servers("a"), servers("b")
    for number in range(8):
        add(first, *(event(20 * number + place) for place in range(20)))
    with second.reader() as reading:
        before = reading.history()
        assert before is not None
        assert first.keeping.compact() == 8
        assert len(objects(servers.bucket)) == 18
        assert before.texts_of(before.customers()).height == 160
    second.keeping.look()
    (copies,) = servers.copies("b").iterdir()
    assert len(list(copies.glob("*.parquet"))) == 9
    monkeypatch.setattr(keeping, "RETIRED_SECONDS", 0.0)
    first.keeping.finish_erasures()
    second.keeping.look()
    assert len(objects(servers.bucket)) == len(list(copies.glob("events-*"))) == 2


def test_after_an_erasure_no_store_and_no_copy_holds_anything_of_the_customer(servers: Servers, tmp_path: Path) -> None:
    texts = ["ann-of-shop", "nna-message", "nna-order"]
    own = [
        event(number, "ann-of-shop", message_id=f"nna-message-{number}", order_id=f"nna-order-{number}")
        for number in range(40)
    ]
    first, second = servers("a"), servers("b")
    for start in range(0, 40, 5):
        add(first, *own[start : start + 5], event(100 + start, "bob-of-shop"))
    second.keeping.look()
    assert first.keeping.compact() == 8
    held = holders(tmp_path, texts)
    assert set(held) == set(texts)
    assert {path.split("/")[0] for paths in held.values() for path in paths} == {"bucket", "copies-a", "copies-b"}
    first.erase("ann-of-shop", LATER)
    assert {path.split("/")[0] for paths in holders(tmp_path, texts).values() for path in paths} == {"copies-b"}
    second.keeping.look()
    assert holders(tmp_path, texts) == {}
    assert (second.count(), set(holders(tmp_path, ["bob-of-shop"]))) == (8, {"bob-of-shop"})


def test_what_a_server_has_fetched_in_part_or_wrongly_goes_with_its_look(servers: Servers) -> None:
    add(servers("a"), *(event(number) for number in range(50)))
    copies = servers("b").keeping.folder
    whole = (copies / "events-00000001.index").read_bytes()
    (copies / "events-00000001.index").write_bytes(b"of a backup that was put back")
    (copies / "events-00000007.parquet").write_bytes(b"not listed")
    (copies / ".events-00000008.parquet.0a0b0c0d").write_bytes(b"a draft")
    (copies / "fetching").mkdir(exist_ok=True)
    (copies / "fetching" / "events-00000001.parquet").write_bytes(b"half")
    log = PostgresLog(servers.url)
    with closing(log):
        log.keeping.store._compared = False  # type: ignore[attr-defined]
        log.keeping.look()
        names = ["events-00000001.index", "events-00000001.parquet"]
        assert sorted(path.name for path in copies.rglob("*events*") if path.is_file()) == names
        assert (copies / names[0]).read_bytes() == whole
        assert len(log.history("ann")) == 50


_KILLED = """
import os, signal, sys
from features.log.frame import frame_of
from features.log.postgres import PostgresLog
from tests.features.log.samples import event
log = PostgresLog(sys.argv[1])
log.keeping.list_segment = lambda entry: os.kill(os.getpid(), signal.SIGKILL)
log.append_columns(frame_of([event(1, message_id="killed-message"), event(2)], range(2)))
"""


def test_what_a_server_killed_after_its_upload_left_is_swept_by_another(servers: Servers, tmp_path: Path) -> None:
    other = servers("b")
    servers.turn("a")
    ran = subprocess.run([sys.executable, "-c", _KILLED, servers.url], cwd=ROOT, check=False)
    assert ran.returncode == -9
    assert {path.split("/")[0] for path in holders(tmp_path, ["killed-message"])["killed-message"]} == {
        "bucket", "copies-a",
    }  # fmt: skip
    assert add(other, event(2), event(3)) == [True, True]
    assert {path.rpartition("/")[2] for path in objects(servers.bucket)} == {
        "events-00000002.index", "events-00000002.parquet",
    }  # fmt: skip
    again = servers("a")
    assert holders(tmp_path, ["killed-message"]) == {}
    assert (again.count(), again.find("killed-message"), again.find("message-2")) == (2, None, event(2))


def test_whoever_loses_the_connection_while_it_uploads_lists_nothing(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = servers("a"), servers("b", busy_seconds=0.2)
    share = first.keeping.store.share

    def shared(names: list[str]) -> None:
        with pytest.raises(LogBusy, match="is being changed by another process"):
            add(second, event(9))
        postgres.run(servers.url, f"SELECT pg_terminate_backend({first.session.connection.info.backend_pid})")
        assert add(second, event(1), event(2)) == [True, True]
        share(names)

    monkeypatch.setattr(first.keeping.store, "share", shared)
    with pytest.raises(LogBusy, match="was lost; nothing was written here"):
        add(first, event(2), event(3))
    monkeypatch.undo()
    servers._patch.setenv(VARIABLE, f"file://{servers.bucket}")
    for log in first, second:
        assert (log.count(), log.find("message-3")) == (2, None)
    assert add(first, event(2), event(3)) == [False, True]
    assert len(objects(servers.bucket)) == 4


def test_a_store_of_another_log_and_an_empty_one_are_refused(servers: Servers, tmp_path: Path) -> None:
    add(servers("a"), event(1))
    (home,) = servers.bucket.iterdir()
    home.rename(home.with_name("away"))
    servers.turn("c")
    with pytest.raises(LogError, match=rf"is not there at file://{home}; it was written at file://{home}\. "):
        servers("b")
    with closing(PostgresLog(postgres.place(tmp_path / "other"))) as other:
        home.with_name("away").rename(home.with_name(Path(other.keeping.store.place).name))
        with pytest.raises(LogError, match="holds the history of another log"):
            add(other, event(1))


def test_a_driver_that_is_missing_or_unknown_is_named_with_what_to_do(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"class": "dropsfs.DropsFileSystem", "err": "Install dropsfs to reach drops"}
    monkeypatch.setitem(known_implementations, "drops", known)
    monkeypatch.setenv(VARIABLE, "drops://user:secret@bucket/waypost")
    with pytest.raises(LogError, match=r"driver for drops://user@bucket/.* is missing; .*: pip install dropsfs"):
        PostgresLog(servers.url)
    monkeypatch.setenv(VARIABLE, "nowhere://bucket")
    with pytest.raises(LogError, match=r"cannot lie at nowhere://bucket/.*; expected a folder, or a URL such as s3://"):
        PostgresLog(servers.url)
    assert without_password("sftp://me:p%40@host:22/x") == "sftp://me@host:22/x"


def test_the_settings_say_when_there_are_copies() -> None:
    settings = read_settings({VARIABLE: "s3://bucket", "WAYPOST_STORE": "postgresql://db/shop"})
    assert (settings.has_copies, settings.seal_hours, str(settings.segments_copies)) == (True, 24.0, COPIES_FOLDER)
    assert not read_settings({VARIABLE: "s3://bucket"}).has_copies
