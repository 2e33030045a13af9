"""Laws of the catalogue: every source, and every shipped mapping, has a sample; every broken sample names the field."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalogues.sources import page
from features.events import SCALES, Event
from features.sources import SOURCES, BadRecord, Source, load_mapping
from features.sources.fields.fields import EARLIEST
from tests.examples import examples
from tests.features.sources.ledger import NOW, take

ROOT = Path(__file__).parents[3]
MAPPINGS = sorted((ROOT / "mappings").glob("*.toml"))
EVERY = {**SOURCES, **{path.stem: load_mapping(path) for path in MAPPINGS}}

each_source = pytest.mark.parametrize("source", EVERY.values(), ids=EVERY)


def beside(sample: Path, ending: str) -> Path:
    return sample.with_name(sample.stem + ending)


def test_the_catalogue_goes_by_name() -> None:
    assert [source.name for source in SOURCES.values()] == list(SOURCES)
    assert set(SOURCES) == {"complete_journey", "ga4", "measurement", "segment", "rees46", "taobao", "waypost"}


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_a_shipped_mapping_is_short_and_named_like_its_file(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 20
    assert load_mapping(path).name == path.stem


@each_source
def test_every_record_of_the_sample_becomes_sound_events(source: Source) -> None:
    report, ledger = take(source.sample, source)
    assert report.records > 0
    assert report.rejected == 0
    assert report.accepted == len(ledger.events) > 0
    for event in ledger.events:
        assert_sound(event)


@each_source
def test_every_record_of_the_broken_sample_is_kept_with_the_field_at_fault(source: Source) -> None:
    expected = [
        (int(place), field.strip())
        for line in beside(source.sample, ".broken.faults").read_text().splitlines()
        for place, _, field in [line.partition(" ")]
    ]
    report, ledger = take(beside(source.sample, ".broken" + source.sample.suffix), source)
    assert [(letter.position, letter.field) for letter in ledger.letters] == expected
    assert report.accepted == 0
    assert report.rejected == report.records == len(expected)
    assert sum(report.faults.values()) == len(expected)
    assert all(letter.reason and letter.raw and letter.source == source.name for letter in ledger.letters)


@each_source
def test_importing_twice_adds_nothing(source: Source) -> None:
    first, ledger = take(source.sample, source)
    again, _ = take(source.sample, source, into=ledger)
    assert again.accepted == 0
    assert again.duplicates == first.accepted + first.duplicates


@each_source
def test_the_message_ids_of_a_sample_are_distinct_and_its_lines_are_orders(source: Source) -> None:
    ledger = take(source.sample, source)[1]
    orders = {event.order_id for event in ledger.events if event.kind.name == "PURCHASE"}
    lines = [event for event in ledger.events if event.kind.name == "PURCHASED_ITEM"]
    assert all(line.order_id in orders and line.item and line.quantity > 0 for line in lines)


def test_the_page_of_sources_is_up_to_date() -> None:
    written = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m features.catalogues.sources > docs/sources.md"


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["2026-03-01T08:00:00Z", "ITEM_VIEW", "PURCHASE", "track", "buy", "view", "1772352000", "-1", "nan"]
    ),
    st.dictionaries(
        st.sampled_from(["key", "value", "product_id", "price", "medium"]), st.text(max_size=4), max_size=3
    ),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.dictionaries(st.just("price"), st.floats())), max_size=2),
)


@st.composite
def record(draw: st.DrawFn, source: Source) -> dict[str, Any]:
    names = [name.strip() for column in source.columns for name in column.name.split(",")]
    return draw(st.dictionaries(st.sampled_from([*names, "event", "revenue"]), odd))


@pytest.mark.parametrize(
    "source", [source for source in EVERY.values() if source.sample.is_file()], ids=lambda s: s.name
)
@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow]
)
@given(data=st.data(), history=st.booleans())
def test_whatever_a_record_holds_it_is_refused_or_sound(source: Source, data: st.DataObject, history: bool) -> None:
    """For sources whose records come from a sender, and not from a join of tables (a folder)."""
    values = data.draw(record(source))
    try:
        events = source.parse(values, NOW, None, history)
    except BadRecord as bad:
        assert bad.reason
        return
    for event in events:
        assert_sound(event)


def assert_sound(event: Event) -> None:
    assert 0 < len(event.message_id) <= 110
    assert event.customer.strip() == event.customer != ""
    assert EARLIEST <= event.at <= event.received <= NOW
    for number in (event.amount, event.quantity, event.score):
        assert math.isnan(number) or 0 <= number < math.inf
    if event.kind in SCALES and not math.isnan(event.score):
        low, high = SCALES[event.kind]
        assert low <= event.score <= high
    for name in (event.item, event.category, event.order_id):
        assert name is None or 0 < len(name) <= 256
