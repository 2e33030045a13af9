"""Every event log among the real data imports whole, with a shipped source or mapping."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from features.events import Kind
from tests.features.sources.ledger import take
from tests.features.sources.real_data import shared

pytestmark = pytest.mark.slow

MAPPINGS = Path(__file__).parents[3] / "mappings"

EXPECTED = [
    # file, source or mapping, records, accepted, duplicates, skipped
    ("taobao_userbehavior_929users", "taobao", 94_475, 96_205, 187, 39),
    ("taobao_userbehavior_1hour_stream", "taobao", 96_168, 98_279, 33, 0),
    ("trivago_recsys2019_val100k", "trivago.toml", 100_003, 100_003, 0, 0),
    ("ga_merchandise_store_20170801_hits", "ga_hits.toml", 13_233, 13_233, 0, 0),
    ("ga_merchandise_store_20170801_sessions", "ga_sessions.toml", 2_556, 2_556, 0, 0),
    ("ga_merchandise_store_20170801_sessions", "ga_orders.toml", 2_556, 43, 0, 2_513),
    ("ga4_merchandise_store_sampled_events", "ga4", 24_219, 24_213, 6, 0),
    ("rees46_multicategory_oct2019_head", "rees46", 17_435, 17_649, 0, 0),
    ("cdnow_master", "cdnow.toml", 69_659, 69_659, 0, 0),
]


@pytest.mark.parametrize(("file", "source", "records", "accepted", "duplicates", "skipped"), EXPECTED)
def test_it_imports_whole(file: str, source: str, records: int, accepted: int, duplicates: int, skipped: int) -> None:
    path = shared(f"{file}.parquet")
    mapping = MAPPINGS / source if source.endswith(".toml") else None
    report, ledger = take(path, "mapping" if mapping else source, mapping)
    assert report.rejected == 0, ledger.letters[:3]
    assert (report.records, report.accepted, report.duplicates, report.skipped) == (
        records,
        accepted,
        duplicates,
        skipped,
    )


def test_the_money_of_cdnow_and_of_the_web_shop_is_right() -> None:
    cdnow = take(shared("cdnow_master.parquet"), "mapping", MAPPINGS / "cdnow.toml")[1]
    assert round(sum(event.amount for event in cdnow.events), 2) == 2_500_315.63
    assert len({event.customer for event in cdnow.events}) == 23_570
    sessions = shared("ga_merchandise_store_20170801_sessions.parquet")
    orders = take(sessions, "mapping", MAPPINGS / "ga_orders.toml")[1]
    assert round(sum(event.amount for event in orders.events), 2) == 8_890.00


def test_the_reloaded_confirmation_pages_of_ga4_are_counted_once() -> None:
    ledger = take(shared("ga4_merchandise_store_sampled_events.parquet"), "ga4")[1]
    orders = [event for event in ledger.events if event.kind is Kind.PURCHASE]
    assert len(orders) == 618
    counts = Counter(event.order_id for event in orders if event.order_id)
    assert max(counts.values()) == 1
