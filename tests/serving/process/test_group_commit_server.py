"""The law of the group commit: requests written together are what they would be one by one, to the bit."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from features.events import SECOND, Event, Kind
from features.journey import JOURNEY
from features.replay.audit import Oracle, audit, everyone
from models.bundle.loaded import Champions
from serving.engine.batch import Batch, BatchResult
from serving.engine.engine import Engine
from serving.engine.state import open_states
from serving.process.worker import Worker
from serving.settings import read_settings
from tests.examples import examples
from tests.serving.conftest import NOW, Place

WHO = ("anna", "ben", "visitor-1", "visitor-2")
KINDS = (
    Kind.PAGE_VIEW,
    Kind.PURCHASE,
    Kind.IDENTIFY,
    Kind.CONSENT_WITHDRAW,
    Kind.CONSENT_GRANT,
)
ORACLE = Oracle(JOURNEY)


@st.composite
def event(draw: st.DrawFn) -> Event:
    """An event whose id may have been seen, that may join two ids, or say something of consent."""
    kind = draw(st.sampled_from(KINDS))
    who = draw(st.sampled_from(WHO))
    other = draw(st.sampled_from(WHO))
    said = {"anonymous_id": other} if kind is Kind.IDENTIFY and not who.startswith("visitor") else {}
    at = NOW + draw(st.integers(0, 4)) * SECOND
    return Event(f"m-{draw(st.integers(0, 40))}", who, kind, at, at, amount=draw(st.floats(0, 9)), properties=said)


GROUPS = st.lists(st.lists(st.lists(event(), max_size=5), min_size=1, max_size=5), min_size=1, max_size=4)


def open_engine(folder: Path, name: str) -> Engine:
    """An engine over a new store."""
    return Engine(open_states(f"sqlite:///{folder / name}.db", JOURNEY, 5.0), JOURNEY, Champions(folder, JOURNEY))


def view(identity: str, who: str, later: int) -> Event:
    """A page view so many seconds after `NOW`."""
    return Event(identity, who, Kind.PAGE_VIEW, NOW + later * SECOND, NOW + later * SECOND)


@given(GROUPS)
@example([[[view("m-0", "anna", 0), view("m-0", "anna", 1)], [view("m-0", "anna", 0), view("m-1", "ben", 0)]]])
@settings(max_examples=examples(20), deadline=None)
def test_together_is_as_one_by_one(groups: list[list[list[Event]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        together, single = (open_engine(Path(folder), name) for name in ("together", "single"))
        for group in groups:
            batches = [Batch(events) for events in group]
            taken = together.take(batches)
            assert taken == [single.take([batch])[0] for batch in batches]
        for name in everyone(single.states.log.customers):
            one, other = together.states.load(name), single.states.load(name)
            assert one.states.tobytes() == other.states.tobytes()
            for each in (together, single):
                loaded = each.states.load
                assert audit(ORACLE, each.states.log, lambda who, load=loaded: load(who).states, name) is None  # type: ignore[misc]
        together.states.close()
        single.states.close()


def counted(name: str, **labels: str) -> float:
    """What a metric says now."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_becomes_of_events_is_counted(place: Place) -> None:
    names = ("waypost_events_withheld_total", "waypost_commit_requests_sum", "waypost_commit_duration_seconds_count")
    before = [counted(name) for name in names]
    merged, unchanged = (counted("waypost_identity_merges_total", outcome=each) for each in ("merged", "unchanged"))
    worker = Worker(read_settings(place.environment(WAYPOST_SWEEP_SECONDS="0")), JOURNEY, lambda: place.now)
    join = {"anonymous_id": "visitor"}
    sent = [
        Event("1", "anna", Kind.IDENTIFY, NOW, NOW, properties=join),
        Event("2", "anna", Kind.IDENTIFY, NOW, NOW, properties=join),
        Event("3", "anna", Kind.CONSENT_WITHDRAW, NOW, NOW),
        Event("4", "visitor", Kind.PAGE_VIEW, NOW, NOW),
    ]

    async def main() -> BatchResult:
        await worker.open()
        try:
            return await worker.record(Batch(sent))
        finally:
            await worker.close()

    assert asyncio.run(main()) == BatchResult(["accepted", "accepted", "accepted", "withheld"], 1)
    assert [counted(name) - was for name, was in zip(names, before, strict=True)] == [1, 1, 1]
    assert counted("waypost_identity_merges_total", outcome="merged") - merged == 1
    assert counted("waypost_identity_merges_total", outcome="unchanged") - unchanged == 1
    assert counted("waypost_writes_waiting") == 0
