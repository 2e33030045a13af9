"""A file of JSON lines that workers share gives what its lines give one by one."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.cores import thread_count
from features.log.contract import DeadLetter, LogFull
from features.sources import SOURCES, FileUnreadable, ImportReport, Source
from features.sources.columns import by_lines
from features.sources.columns.batch import Batch
from features.sources.columns.by_lines import Answer, Run, Task
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.workers import WorkerFailed, Workers
from features.sources.fields.currencies import Rates
from features.sources.fields.message_ids import Identities
from features.sources.fields.privacy import Privacy
from features.sources.readers.json_lines import json_reading
from features.sources.readers.lines import LONGEST_LINE, LineReading
from tests.examples import examples
from tests.features.sources.hostile_lines import LINE_SOURCES, files
from tests.features.sources.ledger import NOW, Ledger, take
from tests.features.sources.real_data import FOLDER, shared

PRIVACY = Privacy(keep=("strange",), hashed=("coupon",), key=b"key")


class Taken(NamedTuple):
    """All that an import takes from a file."""

    events: pl.DataFrame
    letters: list[DeadLetter]
    report: ImportReport
    fault: str


def rows_of(source: Source, rates: Rates) -> RowByRow:
    return RowByRow(source, NOW, PRIVACY, rates)


def taken(batches: Iterator[Batch], source: Source) -> Taken:
    """The batches together, with records counted from the beginning of the file."""
    report, events, letters, fault = ImportReport(source.name), [], [], ""
    try:
        for batch in batches:
            events.append(batch.events.with_columns(pl.col("record") + report.records))
            letters += batch.dead_letters
            report.add(batch.report)
    except FileUnreadable as error:
        fault = str(error)
    return Taken(pl.concat(events) if events else pl.DataFrame(), letters, report, fault)


class Crew:
    """Workers for each source and each currency of the shop, started when they are first needed."""

    def __init__(self) -> None:
        self._workers: dict[tuple[str, str], tuple[Task, Workers[Run, Answer]]] = {}

    def taken(self, path: Path, name: str, rates: Rates) -> Taken:
        """What workers take from a file."""
        source = SOURCES[name]
        reading = json_file(path, source)
        if (name, rates.shop) not in self._workers:
            task = Task(reading, rows_of(source, rates))
            self._workers[name, rates.shop] = task, Workers(task, 1)
        task, workers = self._workers[name, rates.shop]
        return taken(by_lines.shared(reading, rows_of(source, rates), task, workers), source)

    def close(self) -> None:
        for _, workers in self._workers.values():
            workers.__exit__(None, None, None)


def json_file(path: Path, source: Source) -> LineReading:
    """The reading of a file as JSON lines, whatever it begins with: by the samples' own reader."""
    sample = source.read(source.sample)
    assert isinstance(sample, LineReading)
    return LineReading(json_reading(path).lines, sample.records)


def one_by_one(path: Path, name: str, rates: Rates) -> Taken:
    source = SOURCES[name]
    return taken(rows_of(source, rates).batches(json_file(path, source)), source)


def assert_same(first: Taken, second: Taken) -> None:
    assert first.report == second.report
    assert first.letters == second.letters
    assert first.fault == second.fault
    assert first.events.height == second.events.height
    if first.events.height:
        assert first.events.schema == second.events.schema
        assert first.events.equals(second.events)


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with closing(Crew()) as crew:
        yield crew


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines")


@pytest.fixture(autouse=True)
def short_runs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_lines, "RUN", 400)
        patch.setattr(by_lines, "RUNS", 3)
        yield


RATES = st.sampled_from((Rates(), Rates("EUR", {"USD": 0.92})))


@pytest.mark.parametrize("name", LINE_SOURCES)
def test_workers_take_from_a_hostile_file_what_its_lines_are_one_by_one(name: str, crew: Crew, folder: Path) -> None:
    path = folder / f"{name}.jsonl"

    @settings(max_examples=examples(60))
    @given(text=files(name), run=st.sampled_from((1, 100, 400, 1_500)), rates=RATES)
    def holds(text: bytes, run: int, rates: Rates) -> None:
        path.write_bytes(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(by_lines, "RUN", run)
            assert_same(crew.taken(path, name, rates), one_by_one(path, name, rates))

    holds()


SAMPLES = [path for name in LINE_SOURCES for path in sorted(SOURCES[name].sample.parent.glob(f"{name}*.jsonl"))]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_workers_take_the_samples_as_they_are(path: Path, crew: Crew) -> None:
    name = path.name.partition(".")[0]
    assert_same(crew.taken(path, name, Rates()), one_by_one(path, name, Rates()))


def test_workers_take_the_requests_of_clients_as_they_are(crew: Crew, folder: Path) -> None:
    path = folder / "requests.jsonl"
    bodies = sorted(shared("client-requests").glob("*.body.json"))
    lines = [json.dumps(json.loads(body.read_bytes())).encode() for body in bodies]
    assert lines, f"{FOLDER} has no requests"
    path.write_bytes(b"\n".join(lines * 3))
    assert_same(crew.taken(path, "segment", Rates()), one_by_one(path, "segment", Rates()))


@pytest.mark.slow
def test_workers_take_the_rows_of_a_real_shop_as_they_are(crew: Crew, folder: Path) -> None:
    path = folder / "ga4.jsonl"
    table = pl.read_parquet(shared("ga4_merchandise_store_sampled_events.parquet"))
    table.write_ndjson(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_lines, "RUN", 200_000)
        both = crew.taken(path, "ga4", Rates()), one_by_one(path, "ga4", Rates())
    assert_same(*both)
    assert both[0].report.records == table.height


def test_repeated_records_are_numbered_through_the_file(crew: Crew, tmp_path: Path) -> None:
    line = '{"customer": "ada", "kind": "PAGE_VIEW", "at": "2026-03-01T08:00:00Z"}\n'
    other = '{"customer": "bob", "kind": "PAGE_VIEW", "at": "2026-03-01T08:00:00Z"}\n'
    path = tmp_path / "repeated.jsonl"
    path.write_text((line + other) * 50)
    ids = crew.taken(path, "waypost", Rates()).events["message_id"].to_list()
    first, second = ids[:2]
    assert ids[2:] == [f"{name}-{number}" for number in range(1, 50) for name in (first, second)]


def test_the_first_currency_of_a_file_holds_for_all_runs(crew: Crew, tmp_path: Path) -> None:
    def order(number: int, currency: str) -> str:
        event = {"customer": "ada", "kind": "PURCHASE", "at": "2026-03-01T08:00:00Z", "amount": 1, "order_id": number}
        return json.dumps({**event, "properties": {"currency": currency}})

    path = tmp_path / "currencies.jsonl"
    path.write_text("\n".join([order(0, "EUR")] + [order(number, "USD") for number in range(1, 40)]))
    report = crew.taken(path, "waypost", Rates()).report
    assert report.unread == {"second_currency": 39}


def test_a_line_that_is_too_long_keeps_its_place(crew: Crew, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(
        b'{"customer": "' + b"x" * (LONGEST_LINE + 10) + b'"}\n' + b"{}\n" + b'{"a": "' + b"y" * (LONGEST_LINE - 8)
    )
    both = crew.taken(path, "waypost", Rates()), one_by_one(path, "waypost", Rates())
    assert_same(*both)
    assert [letter.position for letter in both[0].letters] == [1, 2, 3]


@pytest.mark.parametrize("size", [300, 3_000, 6_000])
def test_a_packed_file_that_breaks_off_gives_what_stands_before(crew: Crew, tmp_path: Path, size: int) -> None:
    path = tmp_path / "broken.jsonl.gz"
    lines = [
        json.dumps({"customer": os.urandom(9).hex(), "kind": "PAGE_VIEW", "at": "2026-03-01T08:00:00Z"})
        for _ in range(500)
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:size])
    both = crew.taken(path, "waypost", Rates()), one_by_one(path, "waypost", Rates())
    assert_same(*both)
    assert "after line" in both[0].fault


def test_a_window_of_the_file_that_is_smaller_than_a_run_numbers_as_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "window.jsonl"
    names = [f"c{number % 7}" for number in range(200)]
    path.write_text("\n".join(json.dumps({"customer": name, "kind": "LOGIN", "at": "2026-03-01"}) for name in names))

    def rows() -> RowByRow:
        rows = rows_of(SOURCES["waypost"], Rates())
        rows.identities = Identities("waypost", window=3)
        return rows

    source = SOURCES["waypost"]
    task = Task(json_file(path, source), rows_of(source, Rates()))
    with Workers(task, 1) as workers:
        first = taken(by_lines.shared(json_file(path, source), rows(), task, workers), source)
    assert_same(first, taken(rows().batches(json_file(path, source)), source))


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_source_can_be_sent_to_a_worker(source: Source) -> None:
    again = pickle.loads(pickle.dumps(source))
    assert (again.name, again.parse, again.columns) == (source.name, source.parse, source.columns)


def squared(number: int) -> int:
    """The task of the tests of workers: 0 ends the worker, and a number below 0 is at fault."""
    if number == 0:
        os._exit(7)
    if number < 0:
        raise ValueError(f"{number} is below 0")
    print("what a task prints is no answer")
    return number * number


def test_answers_come_in_the_order_of_the_jobs() -> None:
    with Workers(squared, 2) as workers:
        assert list(workers.answers(range(1, 50))) == [(number, number * number) for number in range(1, 50)]


def test_a_fault_of_a_task_is_raised_with_its_words() -> None:
    with Workers(squared, 2) as workers, pytest.raises(WorkerFailed, match="-1 is below 0"):
        list(workers.answers([1, 2, -1, 3]))


def test_a_worker_that_dies_is_an_error_and_no_wait_without_end() -> None:
    with Workers(squared, 2) as workers, pytest.raises(WorkerFailed, match="status 7"):
        list(workers.answers([1, 0, 2, 3, 4]))


def children() -> set[str]:
    """The processes that this one started and that still run."""
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


class Full(Ledger):
    """A log without room, which notes who works for the import."""

    workers: frozenset[str] = frozenset()

    def append_columns(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Refuse the events."""
        self.workers = frozenset(children())
        raise LogFull("no room")


several_cores = pytest.mark.skipif(thread_count(None) == 1, reason="one core: no worker is started")


@several_cores
@pytest.mark.parametrize(("packed", "lines", "is_shared"), [(False, 100, False), (False, 400, True), (True, 400, True)])
def test_workers_are_for_files_with_many_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, lines: int, is_shared: bool
) -> None:
    monkeypatch.setattr(by_lines, "SMALL", 10_000)
    path = tmp_path / "lines.jsonl"
    text = b"".join(b'{"customer": "%s"}\n' % os.urandom(8).hex().encode() for _ in range(lines))
    path.write_bytes(gzip.compress(text) if packed else text)
    source = SOURCES["waypost"]
    assert (path.stat().st_size > by_lines.SMALL) is (is_shared and not packed)
    assert (by_lines.batches(source.read(path), rows_of(source, Rates())) is not None) is is_shared


@several_cores
def test_an_import_that_fails_leaves_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_lines, "SMALL", 0)
    path = tmp_path / "many.jsonl"
    path.write_text('{"customer": "ada", "kind": "LOGIN", "at": "2026-03-01"}\n' * 5_000)
    before = children()
    ledger = Full()
    with pytest.raises(LogFull):
        take(path, "waypost", into=ledger)
    assert len(ledger.workers - before) == thread_count(None)
    assert children() <= before


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    program = """
import os
from features.sources.columns.workers import Workers
from tests.features.sources.test_by_lines import squared
workers = Workers(squared, 2)
assert next(workers.answers([3])) == (3, 9)
print(*[worker.pid for worker in workers._workers], flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )
    pids = done.stdout.split()
    assert len(pids) == 2, done.stderr
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return
        time.sleep(0.1)
    raise AssertionError(f"{pids} still run")
