"""A log is read and changed while its events are sealed, merged and erased: each is seen once, or the read fails."""

from __future__ import annotations

import resource
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from features.log.contract import LogBusy, LogFull
from features.log.frame import frame_of
from features.log.history import scanning
from features.log.sqlite import SqliteLog
from tests.features.log.erasure_suite import LATER
from tests.features.log.samples import event, gathered, shop
from tests.features.log.sealing import LATE

BATCHES = 60

READS: dict[str, Callable[[SqliteLog], int]] = {
    "history": lambda log: len(log.history("ann")),
    "events": lambda log: len(log.events("ann", 10**6)),
    "scan": lambda log: len(gathered(log.scan())),
    "by customer": lambda log: sum(len(part.events) for part in log.by_customer()),
    "find": lambda log: 0 if log.count() and log.find("message-0") is None else log.count(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_misses_nothing_that_is_sealed_meanwhile(read: Callable[[SqliteLog], int], tmp_path: Path) -> None:
    path, acknowledged = tmp_path / "log.db", [0]

    def write() -> None:
        with closing(SqliteLog(path)) as log:
            for number in range(BATCHES):
                log.append([event(place) for place in range(10 * number, 10 * number + 10)])
                acknowledged[0] += 10
                log.keeping.seal(LATE)
                log.keeping.compact()

    SqliteLog(path).close()
    writer = threading.Thread(target=write)
    writer.start()
    with closing(SqliteLog(path)) as log:
        seen = [(0, 0, 10 * BATCHES)]
        while writer.is_alive():
            before = acknowledged[0]
            seen.append((before, read(log), acknowledged[0] + 10))
        writer.join()
        assert all(before <= number <= after for before, number, after in seen)
        assert read(log) == 10 * BATCHES


def test_a_scan_whose_segments_an_erasure_deletes_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "SLICE", 256)
    with closing(SqliteLog(tmp_path / "log.db", busy_seconds=0.1)) as log:
        events = shop(2000)
        log.append_columns(frame_of(events, range(len(events))))
        scan = log.scan()
        next(scan)
        with pytest.raises(LogBusy, match="the customer is erased, but a scan"):
            log.erase("customer-3", LATER)
        with pytest.raises(LogBusy, match="because a customer was erased; read it again"):
            gathered(scan)
        log.erase("customer-3", LATER)
        assert len(gathered(log.scan())) == sum(each.customer != "customer-3" for each in events)


def test_a_live_append_during_an_import_keeps_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log, closing(SqliteLog(log.path)) as live:
        write = log.keeping._write

        def written_slowly(*given: object) -> object:
            live.append([event(7, "bob"), event(1000, "bob")])
            return write(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(log.keeping, "_write", written_slowly)
        events = [event(number) for number in range(100)]
        accepted = log.append_columns(frame_of(events, range(len(events))))
        assert [number for number, new in enumerate(accepted.tolist()) if not new] == [7]
        found = log.find("message-7")
        assert found is not None and found.customer == "bob"
        ids = Counter(name for batch in log.scan_with_properties() for name in batch.message_ids)
        assert (set(ids.values()), len(ids), log.count()) == ({1}, 101, 101)


def imports(path: Path, name: str) -> None:
    with closing(SqliteLog(path)) as log:
        for start in range(0, 3000, 500):
            batch = [event(number, f"customer-{number % 50}", item=name) for number in range(start, start + 500)]
            log.append_columns(frame_of(batch, range(len(batch))))


def test_two_imports_of_one_file_at_once_make_one_log(tmp_path: Path) -> None:
    SqliteLog(tmp_path / "log.db").close()
    importers = [threading.Thread(target=imports, args=(tmp_path / "log.db", name)) for name in ("a", "b")]
    for importer in importers:
        importer.start()
    for importer in importers:
        importer.join()
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        ids = Counter(name for batch in log.scan_with_properties() for name in batch.message_ids)
        assert (len(ids), set(ids.values()), log.count()) == (3000, {1}, 3000)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file grows beyond `size` bytes: a file that does is refused as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [4_000, 60_000])
def test_a_disk_that_is_full_in_the_middle_of_a_segment_leaves_nothing(tmp_path: Path, size: int) -> None:
    events = shop(20_000)
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append(events[:10_000])
        before, digest = log.count(), log.digest()
        shutil.rmtree(log.keeping.folder, ignore_errors=True)
        for change in (
            lambda: log.append_columns(frame_of(events, range(len(events)))),
            lambda: log.keeping.seal(LATE),
        ):
            with files_of_at_most(size), pytest.raises(LogFull, match=r"free some space \(df -h"):
                change()
            assert [path.name for path in log.keeping.folder.rglob("*") if path.is_file()] == ["lock"]
            assert (log.count(), log.digest()) == (before, digest)
        assert log.keeping.seal(LATE) == 10_000
        assert log.append_columns(frame_of(events, range(len(events)))).sum() == 10_000
