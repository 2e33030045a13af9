"""A log in PostgreSQL holds what one in SQLite holds, to the byte, wherever its events lie."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import MINUTE, Event, Kind
from features.log.frame import frame_of
from features.log.postgres import PostgresLog
from features.log.sqlite import SqliteLog
from tests import postgres
from tests.examples import examples
from tests.features.log.samples import gathered, identify, spelled_batches
from tests.features.log.test_laws import events as any_event

steps_of_a_log = st.lists(
    st.tuples(
        st.sampled_from(["append", "import", "columns", "seal", "unmerge", "erase"]),
        st.lists(
            st.one_of(
                any_event.map(lambda each: replace(each, customer="abcd"[each.at // MINUTE % 4])),
                st.builds(
                    identify,
                    st.integers(0, 30),
                    st.sampled_from("abcd"),
                    st.sampled_from([None, "a", "b", "c", "d", "e"]),
                    anonymous=st.booleans(),
                ),
            ),
            min_size=1,
            max_size=6,
        ),
    ),
    max_size=6,
)


@settings(max_examples=examples(15), deadline=None)
@given(steps=steps_of_a_log)
def test_it_holds_the_same_bytes_as_sqlite(
    steps: list[tuple[str, list[Event]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("twins")
    with closing(SqliteLog(folder / "log.db")) as twin, closing(PostgresLog(postgres.place(folder))) as log:
        for step, events in steps:
            answers: list[object] = []
            for each in (twin, log):
                if step in ("append", "import"):
                    appended = each.append(events, history=step == "import")
                    answers.append((appended.accepted, appended.records.tobytes(), appended.merges.tolist()))
                elif step == "columns":
                    answers.append(each.append_columns(frame_of(events, range(len(events)))).tolist())
                elif step == "seal":
                    answers.append((each.keeping.seal(events[0].received, most=4), each.keeping.compact()))
                elif step == "unmerge":
                    answers.append(each.unmerge(events[0].customer, events[0].received))
                else:
                    answers.append(each.erase(events[0].customer, events[0].received))
            assert answers[0] == answers[1]
        for name in "abcde":
            assert (log.profile(name), repr(log.events(name, 9))) == (twin.profile(name), repr(twin.events(name, 9)))
        held = [
            (each.digest(), gathered(each.scan()).tobytes(), each.merges().tolist(), each.customers.names())
            for each in (log, twin)
        ]
        assert held[0] == held[1]
        ids = {event.message_id for _, events in steps for event in events}
        read = [
            (
                spelled_batches(each, each.scan_with_properties(size=2)),
                spelled_batches(each, each.scan_with_properties(kinds=[Kind.IDENTIFY], size=2)),
                [repr(each.find(message_id)) for message_id in sorted(ids)],
            )
            for each in (log, twin)
        ]
        assert read[0] == read[1]
