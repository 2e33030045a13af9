"""The Parquet log keeps the contract, in files that any engine reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from features.log.contract import LogBusy, LogDenied
from features.log.parquet import ParquetLog, folder
from features.log.parquet import log as parquet_log
from tests.features.log.erasure_suite import LATER
from tests.features.log.samples import event, gathered, shop
from tests.features.log.suite import EventLogSuite


class TestParquet(EventLogSuite):
    """The suite."""

    def open(self, place: Path) -> ParquetLog:
        return ParquetLog(place, partitions=4)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ParquetLog]:
    with closing(ParquetLog(tmp_path / "log", partitions=4)) as log:
        yield log


def data_files(log: ParquetLog) -> list[str]:
    return sorted(
        str(path.relative_to(log.path)) for path in log.path.rglob("*") if path.suffix in (".parquet", ".tmp")
    )


def test_another_engine_reads_the_events_with_their_names(log: ParquetLog) -> None:
    events = shop(300)
    log.append(events[:200], history=True)
    log.append(events[200:], history=True)
    query = f"""
        SELECT message_id, customers.name, epoch_us(received), items.name, customer_hash
        FROM read_parquet('{log.path}/events/*/*.parquet', hive_partitioning = true)
        JOIN '{log.path}/customers/*.parquet' AS customers ON customers.code = customer
        LEFT JOIN '{log.path}/items/*.parquet' AS items ON items.code = item ORDER BY "offset"
    """
    with duckdb.connect() as engine:
        found = engine.execute(query).fetchall()
    assert [row[:4] for row in found] == [(each.message_id, each.customer, each.received, each.item) for each in events]
    assert len({(row[1], row[4]) for row in found}) == len({each.customer for each in events})
    assert {row[4] for row in found} <= {"00", "01", "02", "03"}


def test_a_customer_lies_in_one_partition_whatever_the_log(log: ParquetLog, tmp_path: Path) -> None:
    log.append([event(1, "ann")])
    assert [path for path in data_files(log) if path.startswith("events")] == [
        "events/customer_hash=03/part-00000001.parquet"
    ]
    with closing(ParquetLog(tmp_path / "other", partitions=4)) as other:
        other.append([event(1, "bob"), event(2, "ann")])
        assert len(other.history("ann")) == 1
        assert "events/customer_hash=03/part-00000001.parquet" in data_files(other)


def test_the_same_appends_make_the_same_bytes(log: ParquetLog, tmp_path: Path) -> None:
    with closing(ParquetLog(tmp_path / "twin", partitions=4)) as twin:
        for each in (log, twin):
            each.append(shop(100), history=True)
            each.erase("customer-2", LATER)
        assert data_files(log) == data_files(twin)
        for name in data_files(log):
            if not name.startswith("tombstones"):  # of which each log has its own, by its salt
                assert (log.path / name).read_bytes() == (twin.path / name).read_bytes()


def test_partitions_are_fixed_when_the_log_is_made(log: ParquetLog) -> None:
    log.append([event(1, "ann")])
    with closing(ParquetLog(log.path, partitions=64)) as again:
        assert len(again.history("ann")) == 1


def test_erasing_rewrites_one_partition(log: ParquetLog) -> None:
    log.append(shop(200), history=True)
    before = set(data_files(log))
    log.erase("customer-3", LATER)
    after = set(data_files(log))
    assert len(before - after) == 2  # the partition and the customers' names
    assert len(after - before) == 3  # and a tombstone
    assert {Path(name).stem for name in after - before} == {"whole-00000002", "part-00000002"}


def test_what_a_dead_writer_left_counts_for_nothing(log: ParquetLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append([event(1, "ann")])
    before = (log.digest(), gathered(log.scan()).tobytes())
    with monkeypatch.context() as dying:
        dying.setattr(folder, "save", _die)
        with pytest.raises(KeyboardInterrupt):
            log.append([event(2, "bob", item="x"), event(3, "cid")])
    left = data_files(log)
    assert any("00000002" in name for name in left)
    with closing(ParquetLog(log.path)) as again:
        for each in (log, again):
            assert (each.digest(), gathered(each.scan()).tobytes()) == before
            assert (each.customers.names(), each.items.names()) == (["ann"], [])
        again.append([event(4, "dan", item="y")])
        assert again.customers.names() == log.customers.names() == ["ann", "dan"]
    assert log.count() == 2


def test_a_write_that_fails_leaves_no_name_behind(log: ParquetLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append([event(1, "ann"), event(2, "bob")])
    with monkeypatch.context() as failing:
        failing.setattr(folder, "save", _refuse)
        with pytest.raises(LogDenied):
            log.append([event(3, "cid")])
        with pytest.raises(LogDenied):
            log.erase("ann", LATER)
    log.append([event(4, "dan")])
    assert log.customers.names() == ["ann", "bob", "dan"]
    assert log.append([event(3, "ann")]).records["customer"].tolist() == [0]


def test_tables_held_by_a_scan_do_not_grow_with_the_log(log: ParquetLog) -> None:
    held = []
    for start in range(0, 60_000, 6_000):
        numbers = range(start, start + 6_000)
        log.append([event(number, f"c{number % 50}", properties={"page": number}) for number in numbers])
        if start in (6_000, 54_000):
            before = pa.total_allocated_bytes()
            held.append(max(pa.total_allocated_bytes() - before for _ in log.scan_with_properties(size=1_000)))
    assert held[1] < 1.5 * held[0], f"the most bytes that Arrow held at 12,000 and at 60,000 events: {held}"


def test_a_scan_that_an_erasure_overtakes_says_so(log: ParquetLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_log, "CHUNK", 10)
    for number, start in enumerate(range(0, 200, 20)):
        log.append(shop(200)[start : start + 20], history=True)
        assert log.offset() == 20 * (number + 1)
    scan = log.scan()
    next(scan)
    log.erase("customer-3", LATER)
    with pytest.raises(LogBusy, match="read it again"):
        list(scan)


def test_an_erasure_between_two_looks_hides_nothing(log: ParquetLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(shop(200), history=True)
    load = folder.load
    removed: list[int] = []

    def look_and_be_overtaken(path: Path) -> folder.Manifest:
        manifest = load(path)
        if not removed:
            removed.append(0)
            removed[0] = log.erase("customer-3", LATER).events
        return manifest

    reader = ParquetLog(log.path)
    monkeypatch.setattr(folder, "load", look_and_be_overtaken)
    assert sum(map(len, reader.scan())) == 200 - removed[0] < 200


def test_the_manifest_says_how_far_the_log_has_come(log: ParquetLog) -> None:
    log.append([event(1), event(2)])
    manifest = json.loads((log.path / "log.json").read_text())
    assert len(bytes.fromhex(manifest.pop("salt"))) == 16
    assert manifest == {
        "version": 2, "partitions": 4, "commit": 1, "offset": 2, "received": event(2).received, "erasures": 0,
        "erased": 0, "letters": 0,
    }  # fmt: skip


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def _refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")
