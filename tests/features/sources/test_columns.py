"""A table read in columns gives what its rows give one by one: events, dead letters and the report."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow.parquet
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from features.identity.rules import NOBODY, names_nobody
from features.log.contract import DeadLetter
from features.log.frame import SCHEMA
from features.sources import FileUnreadable, ImportReport, Source, find_source
from features.sources.columns import blocks, csv_batches, parquet_batches, plain, portions, tables
from features.sources.columns.batch import Batch
from features.sources.columns.digests import digests
from features.sources.columns.identities import ColumnIdentities
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.texts import Texts
from features.sources.contract import SAMPLES
from features.sources.fields import fields
from features.sources.fields.currencies import Rates
from features.sources.fields.message_ids import WINDOW, Identities
from features.sources.fields.privacy import Privacy
from features.sources.fields.times import instant
from features.sources.formats.mapped_rows import THOUSANDS
from features.sources.readers import parquet
from features.sources.readers.csvfile import CsvReading
from features.sources.readers.lines import LONGEST_LINE
from tests.examples import examples
from tests.features.sources import hostile_tables
from tests.features.sources.hostile_tables import SHAPES
from tests.features.sources.ledger import NOW
from tests.features.sources.real_data import shared

MAPPINGS = Path(__file__).parents[3] / "mappings"
PRIVACY = (Privacy(), Privacy(hashed=("brand", "store"), key=b"key"))
RATES = (Rates(), Rates("EUR", {"USD": 0.9}))


class Taken(NamedTuple):
    """All that an import takes from a file."""

    events: pl.DataFrame
    letters: list[DeadLetter]
    report: ImportReport
    fault: str


def taken(batches: Iterator[Batch], name: str) -> Taken:
    """The batches together, with records counted from the beginning of the file."""
    report, events, letters, fault = ImportReport(name), [], [], ""
    try:
        for batch in batches:
            events.append(batch.events.with_columns(pl.col("record") + report.records))
            letters += batch.dead_letters
            report.add(batch.report)
    except FileUnreadable as error:
        fault = str(error)
    return Taken(pl.concat([SCHEMA.to_frame(), *events]), letters, report, fault)


class Import(NamedTuple):
    """How a file is taken, but for the source."""

    path: Path
    privacy: Privacy = PRIVACY[0]
    rates: Rates = RATES[0]
    window: int = WINDOW

    def row_by_row(self, source: Source) -> Taken:
        rows = RowByRow(source, NOW, self.privacy, self.rates)
        rows.identities = Identities(source.name, self.window)
        return taken(rows.batches(source.read(self.path)), source.name)

    def in_columns(self, source: Source) -> Taken:
        columns = tables.batches(source.read(self.path), RowByRow(source, NOW, self.privacy, self.rates))
        assert columns is not None
        return taken(columns, source.name)


def both(how: Import, source: Source, again: Source) -> tuple[Taken, Taken]:
    """What a file gives in columns and row by row; a mapping that learns from its rows is loaded twice."""
    return how.in_columns(source), how.row_by_row(again)


def hold_equal(columns: Taken, one_by_one: Taken) -> None:
    assert columns.letters == one_by_one.letters
    assert columns.report == one_by_one.report
    assert columns.fault == one_by_one.fault
    assert_frame_equal(columns.events, one_by_one.events)


@pytest.mark.parametrize("name", SHAPES)
@given(data=st.data())
@settings(max_examples=examples(60))
def test_columns_give_what_rows_give(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    shape = SHAPES[name]
    folder = tmp_path_factory.mktemp("table")
    content = data.draw(hostile_tables.tables(shape), "file")
    size = data.draw(st.sampled_from((1, 200, 1 << 20, 1 << 20)), "bytes of a block")
    packed = data.draw(st.integers(0, 9), "packed") == 0
    broken = packed and data.draw(st.booleans(), "broken")
    path = folder / "table.csv"
    path.write_bytes(gzip.compress(content)[: -9 if broken else None] if packed else content)
    (folder / "shop.toml").write_text(shape.mapping)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", size)
        patch.setattr(csv_batches, "BATCH_BYTES", 500)
        patch.setattr(portions, "WINDOW", 3)
        pair = [find_source(shape.source, folder / "shop.toml" if shape.mapping else None) for _ in range(2)]
        privacy, rates = data.draw(st.sampled_from(PRIVACY), "privacy"), data.draw(st.sampled_from(RATES), "rates")
        try:
            assume(isinstance(pair[1].read(path), CsvReading))
        except FileUnreadable:
            return
        hold_equal(*both(Import(path, privacy, rates, 3), pair[0], pair[1]))


@pytest.mark.parametrize("name", SHAPES)
@given(data=st.data())
@settings(max_examples=examples(40))
def test_columns_with_types_give_what_rows_give(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shape = SHAPES[name]
    folder = tmp_path_factory.mktemp("table")
    table = data.draw(hostile_tables.typed_tables(shape), "table")
    pyarrow.parquet.write_table(table, folder / "table.parquet")
    (folder / "shop.toml").write_text(shape.mapping)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "BATCH", data.draw(st.sampled_from((1, 5, 100)), "rows of a batch"))
        patch.setattr(portions, "WINDOW", 3)
        pair = [find_source(shape.source, folder / "shop.toml" if shape.mapping else None) for _ in range(2)]
        privacy, rates = data.draw(st.sampled_from(PRIVACY), "privacy"), data.draw(st.sampled_from(RATES), "rates")
        how = Import(folder / "table.parquet", privacy, rates, 3)
        try:
            one_by_one = how.row_by_row(pair[0])
        except TypeError:  # a property that is a date, which no JSON holds
            return
        hold_equal(how.in_columns(pair[1]), one_by_one)


SAMPLED = [
    *((name, None, SAMPLES / f"{name}{kind}.csv") for name in ("rees46", "taobao") for kind in ("", ".broken")),
    *(
        ("mapping", MAPPINGS / f"{name}.toml", SAMPLES / "mappings" / f"{name}{kind}.csv")
        for name in ("cdnow", "ga_hits", "ga_orders", "ga_sessions", "trivago")
        for kind in ("", ".broken")
    ),
]


@pytest.mark.parametrize(("name", "mapping", "path"), SAMPLED, ids=lambda part: Path(str(part)).stem)
def test_samples_are_the_same_in_columns(name: str, mapping: Path | None, path: Path) -> None:
    columns, one_by_one = both(Import(path), find_source(name, mapping), find_source(name, mapping))
    hold_equal(columns, one_by_one)
    assert columns.report.records > 0


def texts_of(values: list[bytes]) -> Texts:
    bounds = np.cumsum([0, *map(len, values)], dtype=np.int32)
    return Texts(np.frombuffer(b"".join(values), np.uint8), bounds[:-1].copy(), bounds[1:].copy())


@given(st.lists(st.binary(max_size=300) | st.integers(0, 1_000).map(lambda size: b"x" * size), max_size=20))
@settings(max_examples=examples(200))
def test_digests_are_those_of_hashlib(values: list[bytes]) -> None:
    results = digests(*texts_of(values))
    expected = [blake2b(value, digest_size=12).digest() + bytes(4) for value in values]
    assert [row.tobytes() for row in results] == expected


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=6), st.integers(1, 4))
@settings(max_examples=examples(300))
def test_repetitions_are_counted_as_one_by_one(runs: list[list[int]], window: int) -> None:
    columns, one_by_one = ColumnIdentities("shop", window), Identities("shop", window)
    for number, run in enumerate(runs):
        lines = [f"line {member}".encode() for member in run]
        expected = []
        for one_by_one.raw in lines:
            expected.append(one_by_one())
        if number % 2:
            hashed = digests(*texts_of(lines))
            made = columns.texts(hashed, columns.repetitions(hashed))
            assert [made.at(row) for row in range(len(lines))] == expected
        else:
            given_ids = []
            for columns.raw in lines:
                given_ids.append(columns())
            assert given_ids == expected


WORDS = st.sampled_from(sorted(NOBODY)) | st.text("{}<>[]$#%*-0189aA_.|@ ", max_size=8) | st.text(max_size=8)


@given(st.lists(WORDS, min_size=1, max_size=30))
@settings(max_examples=examples(500))
def test_a_plain_customer_is_somebody(words: list[str]) -> None:
    texts = texts_of([word.encode() for word in words])
    state = np.empty(len(words), np.uint8)
    plain.trim_names(*texts, 256, state)
    plain.ask_of_customers(*texts, state)
    for row in np.flatnonzero(state == plain.PLAIN).tolist():
        name = texts.at(row)
        assert fields.customer(words[row], "customer") == (name or None)
        assert not name or not names_nobody(name)


DIGITS = st.from_regex(r"\d{0,17}(\.\d{0,17})?", fullmatch=True, alphabet="0123456789.")


@given(st.lists(DIGITS | st.text("0123456789.,-e ", max_size=8), min_size=1, max_size=30))
@settings(max_examples=examples(500))
def test_a_plain_number_is_that_of_python(words: list[str]) -> None:
    numbers, form = np.empty(len(words)), np.empty(len(words), np.uint8)
    plain.read_numbers(*texts_of([word.encode() for word in words]), numbers, form)
    for word, number, kind in zip(words, numbers.tolist(), form.tolist(), strict=True):
        assert (kind == plain.COMMA) == ("," in word)
        if kind in (plain.PLAIN, plain.THOUSANDS):
            assert number == float(word) if word else math.isnan(number)
            assert (kind == plain.THOUSANDS) == (THOUSANDS.fullmatch(word) is not None)


PARTS = (st.integers(0, 9999), *[st.integers(0, 61)] * 5)


@given(st.lists(st.tuples(*PARTS), min_size=1, max_size=20), st.sampled_from(("Z", " UTC", "", "+00:00", "UTC")))
@settings(max_examples=examples(500))
def test_a_plain_time_is_that_of_python(times: list[tuple[int, ...]], zone: str) -> None:
    words = ["{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*parts) + zone for parts in times]
    read: NDArray[np.int64] = np.empty(len(words), np.int64)
    form = np.empty(len(words), np.uint8)
    plain.read_times(*texts_of([word.encode() for word in words]), read, form)
    for word, at, kind in zip(words, read.tolist(), form.tolist(), strict=True):
        if kind == plain.PLAIN:
            assert at == instant(word, "at")


@pytest.mark.parametrize("broken", [False, True])
def test_a_line_that_is_too_long_is_one_dead_letter(tmp_path: Path, broken: bool) -> None:
    source = find_source("rees46")
    header, line = source.sample.read_bytes().splitlines(keepends=True)[:2]
    long = b"x" * (LONGEST_LINE + 10)
    (tmp_path / "a.csv").write_bytes(header + line + (b'"' if broken else b"") + long + b"," + long + b"\n" + line * 2)
    columns, one_by_one = both(Import(tmp_path / "a.csv"), source, source)
    hold_equal(columns, one_by_one)
    assert columns.report.rejected == 1
    assert columns.events.height == 3


def test_the_same_file_makes_the_same_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 300)
    monkeypatch.setattr(csv_batches, "BATCH_BYTES", 1_000)
    source = find_source("rees46")
    header, *lines = source.sample.read_bytes().splitlines(keepends=True)
    (tmp_path / "a.csv").write_bytes(header + b"".join(lines) * 20)
    sizes = []
    for _ in range(3):
        made = tables.batches(source.read(tmp_path / "a.csv"), RowByRow(source, NOW, *PRIVACY[:1], RATES[0]))
        assert made is not None
        sizes.append([batch.events.height for batch in made])
    assert len(sizes[0]) > 3
    assert sizes[0] == sizes[1] == sizes[2]


def test_rows_that_are_too_long_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = find_source("rees46")
    rows = pl.read_csv(source.sample, infer_schema=False)
    rows.write_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(parquet_batches, "MOST_BYTES", 100)
    columns, one_by_one = both(Import(tmp_path / "a.parquet"), source, source)
    hold_equal(columns, one_by_one)
    assert columns.report.records == rows.height


REAL = [
    ("taobao_userbehavior_929users", "taobao"),
    ("taobao_userbehavior_1hour_stream", "taobao"),
    ("trivago_recsys2019_val100k", "trivago.toml"),
    ("ga_merchandise_store_20170801_hits", "ga_hits.toml"),
    ("ga_merchandise_store_20170801_sessions", "ga_sessions.toml"),
    ("ga_merchandise_store_20170801_sessions", "ga_orders.toml"),
    ("rees46_multicategory_oct2019_head", "rees46"),
    ("cdnow_master", "cdnow.toml"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "source"), REAL)
def test_real_data_are_the_same_in_columns(file: str, source: str) -> None:
    mapping = MAPPINGS / source if source.endswith(".toml") else None
    name = "mapping" if mapping else source
    how = Import(shared(f"{file}.parquet"))
    columns, one_by_one = both(how, find_source(name, mapping), find_source(name, mapping))
    hold_equal(columns, one_by_one)
    assert columns.report.records > 2_000
