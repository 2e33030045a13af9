"""The kept journal equals the one made anew, whatever was written since; and it outlives neither an erasure nor its
log.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import MINUTE, Event, Kind
from features.log.contract import EventLog
from features.replay.snapshots import read_past
from insights.journal import kept as module
from insights.journal.columns import Journal, journal_of
from insights.journal.kept import Kept, whole_journal
from insights.journal.reading import parse
from tests.examples import examples
from tests.features.log.samples import START, event
from tests.features.log.stores import STORES

NAMES = ("ann", "bob", "cid", "dora", "eve")
KINDS = (Kind.ITEM_VIEW, Kind.PURCHASE, Kind.CONSENT_WITHDRAW, Kind.CONSENT_GRANT)

names = st.sampled_from(NAMES)
moments = st.integers(0, 30).map(lambda number: START + number * MINUTE)
acts = st.builds(
    event, st.integers(0, 60), customer=names, kind=st.sampled_from(KINDS), at=moments, received=moments,
    amount=st.sampled_from([float("nan"), 5.0]),
)  # fmt: skip
joins = st.builds(
    event, st.integers(61, 90), customer=names, kind=st.just(Kind.IDENTIFY), received=moments,
    properties=st.fixed_dictionaries({"anonymous_id": names}),
)  # fmt: skip
steps = st.tuples(st.just("append"), st.lists(acts | joins, max_size=6)) | st.tuples(
    st.sampled_from(["unmerge", "erase"]), names
)


def equal(one: Journal, other: Journal) -> bool:
    """Whether two journals are the same to the byte."""
    return all(np.asarray(getattr(one, f.name)).tobytes() == getattr(other, f.name).tobytes() for f in fields(Journal))


@pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)
@settings(max_examples=examples(25), deadline=None)
@given(written=st.lists(steps, max_size=6), share=st.sampled_from([0.0, 0.5, 2.0]))
def test_what_is_kept_and_what_came_since_are_the_journal_made_anew(
    open_store: Callable[[Path], EventLog], written: list[tuple[str, list[Event] | str]], share: float
) -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        closing(open_store(Path(home) / "log.db")) as log,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(module, "MANY", share)
        kept = Kept(Path(home) / "journal")
        for verb, what in written:
            if verb == "append":
                log.append(what, history=True)  # type: ignore[arg-type]
            elif verb == "unmerge":
                log.unmerge(str(what), START)
            else:
                log.erase(str(what), START + 99 * MINUTE)
            anew = journal_of(read_past(log))
            assert equal(kept.journal(log), anew)
            assert equal(Kept(Path(home) / "journal").journal(log), anew)
            assert equal(whole_journal(log), anew)


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return STORES["sqlite"](tmp_path / "log.db")


def test_an_event_is_in_the_next_answer(log: EventLog, tmp_path: Path) -> None:
    log.append([event(n, f"c{n % 5000}", kind=Kind.ITEM_VIEW) for n in range(20_000)], history=True)
    kept, question = Kept(tmp_path / "journal"), parse("funnel ITEM_VIEW > PURCHASE within 9 days")
    assert kept.answer(log, question).rows[0][2] == 5000
    assert kept.answer(log, question) is kept.answer(log, question)
    log.append([event(99_999, "new", kind=Kind.ITEM_VIEW)])
    begun = time.monotonic()
    assert kept.answer(log, question).rows[0][2] == 5001
    assert time.monotonic() - begun < 1.0
    assert len(list((tmp_path / "journal").glob("*/at.npy"))) == 1


def test_the_journal_of_another_log_and_broken_files_are_not_used(log: EventLog, tmp_path: Path) -> None:
    log.append([event(1, "ann")])
    Kept(tmp_path / "journal").journal(log)
    with closing(STORES["sqlite"](tmp_path / "other.db")) as other:
        other.append([event(1, "ann"), event(2, "bob")][1:])
        other.append([event(3, "cid")])
        assert len(Kept(tmp_path / "journal").journal(other).customers) == 2
    for path in (tmp_path / "journal").glob("*/at.npy"):
        path.write_bytes(b"broken")
    assert len(Kept(tmp_path / "journal").journal(log)) == 1


def test_forgotten_files_are_gone(log: EventLog, tmp_path: Path) -> None:
    log.append([event(1, "ann")])
    kept = Kept(tmp_path / "journal")
    kept.journal(log)
    kept.forget()
    assert not (tmp_path / "journal").exists()
    assert len(kept.journal(log)) == 1
