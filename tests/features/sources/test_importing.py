from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from features.log.contract import LogFull
from features.log.sqlite import SqliteLog
from features.sources import SOURCES, FileUnreadable, SourceUnknown, find_source, import_file
from features.sources.columns import row_by_row
from features.sources.fields.message_ids import Identities
from features.sources.fields.privacy import Privacy
from tests.features.sources.ledger import NOW, Ledger, take

ROOT = Path(__file__).parents[3]
LINE = '{{"message_id":"m-{0}","customer":"u{1}","kind":"ITEM_VIEW","at":"2026-03-01T12:00:00Z","item":"i{1}"}}\n'


def write(path: Path, number: int) -> Path:
    with path.open("w") as file:
        for row in range(number):
            file.write(LINE.format(row, row % 50))
    return path


def test_good_records_go_in_and_bad_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    good = '{"customer":"ada","kind":"LOGIN","at":"2026-03-01T12:00:00Z"}\n'
    path.write_text(good + '{"customer":"ada","kind":"LOGIN","at":"never"}\n' + "oops\n" + good)
    log = SqliteLog(tmp_path / "log.db")
    report = import_file(log, path, "waypost", received=NOW)
    assert (report.records, report.accepted, report.rejected, report.duplicates) == (4, 2, 2, 0)
    assert report.faults == {"at": 1, "": 1}
    assert log.count() == 2, "two equal lines are two events"
    assert [example.split(":")[:2] for example in report.examples] == [["waypost", "2 at"], ["waypost", "3 "]]
    first, second = log.dead_letters(10)
    assert (first.source, first.position, first.field, first.customer) == ("waypost", 2, "at", "ada")
    assert first.raw == b'{"customer":"ada","kind":"LOGIN","at":"never"}'
    assert (second.position, second.field, second.raw, second.received) == (3, "", b"oops", NOW)
    log.close()


def test_history_stands_in_the_log_at_the_time_it_happened(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    import_file(log, SOURCES["waypost"].sample, "waypost", received=NOW)
    events = log.events("ada", 10)
    assert all(event.received == event.at < NOW for event in events)
    assert [event.kind.name for event in events][-1] == "SESSION_START"
    log.close()


def test_progress_is_told_after_each_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_by_row, "BATCH", 100)
    path = write(tmp_path / "events.jsonl", 1_000)
    told: list[tuple[int, int]] = []
    ledger = Ledger()
    import_file(ledger, path, "waypost", received=NOW, progress=lambda done, total: told.append((done, total)))  # type: ignore[arg-type]
    size = path.stat().st_size
    assert len(told) == 11
    assert told == sorted(told)
    assert told[-1] == (size, size)
    assert ledger.batches == [100] * 10


def test_a_batch_is_also_full_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_by_row, "BATCH_BYTES", 5_000)
    path = write(tmp_path / "events.jsonl", 100)
    batches = take(path, "waypost")[1].batches
    assert len(batches) > 1
    assert sum(batches) == 100


class Breaking(Ledger):
    """A log whose disk is full at the third batch."""

    broken = True

    def append_columns(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        if self.broken and len(self.batches) == 2:
            raise LogFull("no room left")
        return super().append_columns(frame)


def test_after_a_failure_importing_again_adds_only_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_by_row, "BATCH", 100)
    path = write(tmp_path / "events.jsonl", 1_000)
    ledger = Breaking()
    with pytest.raises(LogFull):
        take(path, "waypost", into=ledger)
    assert len(ledger.events) == 200
    ledger.broken = False
    report, _ = take(path, "waypost", into=ledger)
    assert (report.accepted, report.duplicates) == (800, 200)
    assert len({event.message_id for event in ledger.events}) == 1_000


@pytest.mark.parametrize("with_ids", [True, False])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_ids: bool) -> None:
    monkeypatch.setattr(row_by_row, "BATCH", 200)
    monkeypatch.setattr(row_by_row, "Identities", lambda name: Identities(name, window=200))

    class Sink(Ledger):
        def append_columns(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
            return np.ones(len(frame), bool)

    def peak(number: int) -> int:
        path = write(tmp_path / f"{number}.jsonl", number)
        if not with_ids:
            path.write_text(path.read_text().replace('"message_id":"m-', '"item":"m-'))
        tracemalloc.start()
        try:
            report, _ = take(path, "waypost", into=Sink())
            assert report.accepted == number
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    small, large = peak(1_500), peak(15_000)
    assert large < small * 1.2 + 20_000


def test_a_table_is_read_a_batch_of_rows_at_a_time(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = 30_000
    columns = {"customer": ["ada"] * rows, "kind": ["LOGIN"] * rows, "at": ["2026-03-01T12:00:00Z"] * rows}
    parquet.write_table(pyarrow.table(columns), tmp_path / "events.parquet", row_group_size=3_000)
    tracemalloc.start()
    try:
        seen = sum(record.fault is None for record in SOURCES["waypost"].read(tmp_path / "events.parquet"))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert seen == rows


def test_unknown_sources_and_stray_mappings_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SourceUnknown, match="unknown source 'shopify'; expected complete_journey, ga4"):
        find_source("shopify")
    with pytest.raises(SourceUnknown, match=r"needs a mapping: --map FILE.toml"):
        find_source("mapping")
    with pytest.raises(SourceUnknown, match="give --source mapping, not 'ga4', with --map"):
        find_source("ga4", tmp_path / "x.toml")


def test_a_file_of_another_source_is_refused_whole(tmp_path: Path) -> None:
    with pytest.raises(
        FileUnreadable, match="has no column event_timestamp, event_name, user_pseudo_id; it has event_time"
    ):
        take(SOURCES["rees46"].sample, "ga4")


def test_a_dead_letter_of_joined_tables_holds_their_values() -> None:
    sample = SOURCES["complete_journey"].sample
    ledger = take(sample.with_name("complete_journey.broken"), "complete_journey")[1]
    letter = next(letter for letter in ledger.letters if letter.field == "transactions.sales_value")
    assert json.loads(letter.raw)["basket_id"] == 1001
    assert letter.customer == "1"


def test_reading_text_needs_neither_pandas_nor_pyarrow() -> None:
    code = "import sys, features.sources; print(sorted({'pandas', 'pyarrow', 'numba'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_personal_fields_stay_outside_and_what_a_mapping_lists_is_kept(tmp_path: Path) -> None:
    line = '{"customer":"ada","kind":"LOGIN","at":"2026-03-01","properties":{"coupon":"A","email":"a@b.example"}}'
    (tmp_path / "events.jsonl").write_text(line)
    report, ledger = take(tmp_path / "events.jsonl", "waypost")
    assert (report.accepted, report.dropped, ledger.events[0].properties) == (1, 1, {"coupon": "A"})
    (tmp_path / "shop.csv").write_text("who,day,mood,email\nada,2026-03-01,blue,a@b.example\n")
    mapping = tmp_path / "shop.toml"
    columns = '[columns]\ncustomer = "who"\nat = "day"\n[constants]\nkind = "LOGIN"\n'
    mapping.write_text(f'name = "shop"\nproperties = ["mood"]\n{columns}')
    report, ledger = take(tmp_path / "shop.csv", "mapping", mapping)
    assert (report.dropped, ledger.events[0].properties) == (0, {"mood": "blue"})
    ledger = Ledger()
    private = Privacy(hashed=("mood",), key=b"k")
    import_file(ledger, tmp_path / "shop.csv", "mapping", mapping, received=NOW, privacy=private)  # type: ignore[arg-type]
    assert ledger.events[0].properties == {"mood": private.digest("blue")}
