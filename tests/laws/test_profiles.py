"""Laws of profiles: replay by reigns is what a reader of the log would do with paper and pencil, and forgets merges
that were undone, knows none that came later, and does not care how it is cut up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import DAY, EVENT, Event, Kind
from features.grouping import histories
from features.identity.periods import connected_components, membership_periods, profiles_at
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.log.sqlite import SqliteLog
from features.replay.replay import Snapshots, final_states, replay
from features.replay.snapshots import known_at, past_of, read_past, replay_log, replay_profiles
from tests.examples import examples
from tests.histories import START, histories_of

EXAMPLES = settings(max_examples=examples(60), deadline=None)
IDS = 6
Records = NDArray[np.void]
cutoff_lists = st.lists(st.integers(0, 2_000 * DAY).map(lambda after: START + after), min_size=1, max_size=4)


@st.composite
def merges_of(draw: st.DrawFn, events: Records, *, imports: bool = True) -> Records:
    """Merges and their undoings as a log would decide on them, at moments of the events and between.

    With `imports`, some were received earlier than those on which the log had decided before.
    """
    moments = [START, *events["received"].tolist()]
    into: dict[int, int] = {}
    apart: set[tuple[int, int]] = set()
    made, newest = [], START
    for offset in range(draw(st.integers(0, 8))):
        received = draw(st.sampled_from(moments)) + draw(st.sampled_from([0, 0, -1, 1]))
        if into and draw(st.integers(0, 2)) == 0:
            member = draw(st.sampled_from(sorted(into)))
            received = newest = max(received, newest)
            made.append((received, offset, member, into[member], 1))
            apart.add((member, into.pop(member)))
            continue
        member, profile = draw(st.integers(0, IDS - 1)), draw(st.integers(0, IDS - 1))
        profile = into.get(profile, profile)
        taken = {each[3] for each in made}  # what was ever joined is a user id
        if member == profile or member in into or member in taken or (member, profile) in apart:
            continue
        if not imports or draw(st.booleans()):
            received = newest = max(received, newest)
        newest = max(newest, received)
        into[member] = profile
        made.append((received, offset, member, profile, 0))
    ordered = sorted(made)
    return np.array(ordered, MERGE) if ordered else np.empty(0, MERGE)


@st.composite
def logs(draw: st.DrawFn) -> tuple[Records, Records]:
    """Events in log order, and merges."""
    events = draw(histories_of(customers=IDS, longest=25))
    return events, draw(merges_of(events))


def membership(merges: Records, cutoff: int) -> dict[int, list[int]]:
    """The ids of each profile at a cutoff, merge by merge."""
    into: dict[int, int] = {}
    for merge in sorted(merges.tolist(), key=lambda merge: merge[1]):
        received, _, member, profile, undone = merge
        if received <= cutoff and undone:
            into.pop(member)
        elif received <= cutoff:
            into[member] = profile
    profiles: dict[int, list[int]] = {}
    for code in range(IDS):
        top = code
        while top in into:
            top = into[top]
        profiles.setdefault(top, []).append(code)
    return profiles


def by_hand(events: Records, merges: Records, cutoffs: list[int]) -> Iterator[tuple[int, int, bytes]]:
    """Profile, cutoff and features of every row, each stepped through on its own."""
    rows = []
    for cutoff in set(cutoffs):
        known = events[events["received"] <= cutoff]
        for profile, members in membership(merges, cutoff).items():
            own = known[np.isin(known["customer"], members)]
            if len(own):
                states = JOURNEY.empty()
                for place in range(len(own)):
                    JOURNEY.step(states, 0, own[place : place + 1])
                rows.append((profile, cutoff, JOURNEY.read(states, 0, cutoff).tobytes()))
    return iter(sorted(rows))


def rows_of(snapshots: Snapshots) -> list[tuple[int, int, bytes]]:
    """The rows in the order in which they stand."""
    features = [row.tobytes() for row in snapshots.features]
    return list(zip(snapshots.customer.tolist(), snapshots.cutoff.tolist(), features, strict=True))


@given(logs(), cutoff_lists)
@EXAMPLES
def test_replay_by_profile_is_what_a_reader_of_the_log_does(log: tuple[Records, Records], cutoffs: list[int]) -> None:
    events, merges = log
    moments = [*cutoffs, *merges["received"].tolist()]
    found = replay_profiles(JOURNEY, past_of([events], merges), moments)
    assert rows_of(found) == list(by_hand(events, merges, moments))


@given(logs())
@EXAMPLES
def test_reigns_share_out_every_moment(log: tuple[Records, Records]) -> None:
    _, merges = log
    found, (codes, numbers) = membership_periods(merges), connected_components(merges)
    for moment in [START, *merges["received"].tolist(), *(merges["received"] - 1).tolist(), START + 9_000 * DAY]:
        reigning = [period for period in found if period.since <= moment < period.until]
        assert sorted(code for period in reigning for code in period.members) == codes.tolist()
        expected = membership(merges, moment)
        assert all(list(period.members) == expected[period.profile] for period in reigning)
        assert profiles_at(merges, moment) == {
            member: profile for profile, members in expected.items() for member in members if member != profile
        }
    for merge in merges:
        pair = numbers[np.searchsorted(codes, [merge["member"], merge["profile"]])]
        assert pair[0] == pair[1]


@given(logs(), cutoff_lists)
@EXAMPLES
def test_final_states_are_those_of_the_profiles_then(log: tuple[Records, Records], cutoffs: list[int]) -> None:
    events, merges = log
    known = known_at(past_of([events], merges), cutoffs[0])
    states = final_states(JOURNEY, known)
    read = [JOURNEY.read(states, place, cutoffs[0]).tobytes() for place in range(len(states))]
    expected = [(profile, features) for profile, _, features in by_hand(events, merges, cutoffs[:1])]
    assert list(zip(known.customers.tolist(), read, strict=True)) == expected
    assert known.customers.tolist() == np.unique(known.events["customer"]).tolist()


@given(logs(), histories_of(customers=IDS, longest=8), st.data())
@EXAMPLES
def test_neither_later_events_nor_later_merges_change_a_snapshot(
    log: tuple[Records, Records], future: Records, data: st.DataObject
) -> None:
    events, merges = log
    cutoff = max([START, *events["received"].tolist(), *merges["received"].tolist()])
    later = future.copy()
    later["received"] += cutoff + 1 - START
    more = np.array([(cutoff + 1, 100, *data.draw(pairs), 0)], MERGE)
    before = replay_profiles(JOURNEY, past_of([events], merges), [cutoff - DAY, cutoff])
    grown = past_of([events, later], np.concatenate([merges, more]))
    assert rows_of(replay_profiles(JOURNEY, grown, [cutoff - DAY, cutoff])) == rows_of(before)


pairs = st.permutations(range(IDS, IDS + 3)).map(lambda ids: (ids[0] % IDS, ids[1]))
"""A known id as the member of one never seen."""


@given(histories_of(customers=IDS, longest=25), st.data())
@EXAMPLES
def test_merged_then_unmerged_is_never_merged(events: Records, data: st.DataObject) -> None:
    merges = data.draw(merges_of(events, imports=False))
    end = max([START, *events["received"].tolist(), *merges["received"].tolist()])
    left = profiles_at(merges)
    undone = [(end, 100 + number, member, profile, 1) for number, (member, profile) in enumerate(left.items())]
    whole = np.concatenate([merges, np.array(undone, MERGE)]) if undone else merges
    cutoffs = [end, end + DAY]
    found = replay_profiles(JOURNEY, past_of([events], whole), cutoffs)
    never = replay(JOURNEY, histories([events]), cutoffs)
    assert rows_of(found) == rows_of(never)
    apart, together = histories([events]), known_at(past_of([events], whole), end)
    assert final_states(JOURNEY, together).tobytes() == final_states(JOURNEY, apart).tobytes()


@contextmanager
def stored(events: Records, merges: Records) -> Iterator[SqliteLog]:
    """The log in a database."""
    rows = [
        Event(f"m{place}", f"c{each['customer']}", Kind(each["kind"]), int(each["at"]), int(each["received"]))
        for place, each in enumerate(events)
    ]
    with TemporaryDirectory() as folder, closing(SqliteLog(Path(folder) / "log.db")) as log:
        with log.transaction() as connection:
            log.customers.intern([f"c{code}" for code in range(IDS)])
            log.append(rows, history=True)
            connection.executemany(
                'INSERT INTO merges (received, "offset", member, profile, undone) VALUES (?, ?, ?, ?, ?)',
                merges.tolist(),
            )
        yield log


@given(logs(), cutoff_lists, st.integers(1, 30), st.integers(1, 3))
@settings(max_examples=examples(20), deadline=None)
def test_parts_and_threads_do_not_matter(
    log: tuple[Records, Records], cutoffs: list[int], most: int, threads: int
) -> None:
    with stored(*log) as read:
        past = past_of(read.scan(), read.merges())
        whole = rows_of(replay_profiles(JOURNEY, past, cutoffs, threads=threads))
        parts = [rows_of(part) for part in replay_log(JOURNEY, read, cutoffs, most=most)]
        assert sorted(row for part in parts for row in part) == whole
        known = read_past(read, max(cutoffs))
        assert rows_of(replay_profiles(JOURNEY, known, cutoffs, threads=1)) == whole
        assert known.count == sum(len(chunk) for chunk in read.scan(until=max(cutoffs)))


steps = st.lists(
    st.tuples(
        st.sampled_from(["live", "live", "past", "join", "join", "join in the past", "unmerge"]),
        st.integers(0, IDS - 1),
        st.integers(0, IDS - 1),
        st.integers(0, 50),
    ),
    max_size=25,
)


@given(steps)
@settings(max_examples=examples(25), deadline=None)
def test_a_log_serves_what_its_replay_says(todo: list[tuple[str, int, int, int]]) -> None:
    """A profile's history in a database, stepped event by event, is the row of its replay after the last merge."""
    with TemporaryDirectory() as folder, closing(SqliteLog(Path(folder) / "log.db")) as log:
        now = START
        for number, (what, first, second, pause) in enumerate(todo):
            now += pause * DAY
            at = now - 40 * DAY if "past" in what else now
            said = {"anonymous_id": f"c{second}", "anonymous": first % 2 == 0} if "join" in what else {}
            kind = Kind.IDENTIFY if said else Kind.ITEM_VIEW
            if what == "unmerge":
                log.unmerge(f"c{first}", now)
            else:
                log.append([Event(f"m{number}", f"c{first}", kind, at, at, properties=said)], history="past" in what)
        past, cutoff = read_past(log), now + 60 * DAY
        found = replay_profiles(JOURNEY, past, [cutoff])
        assert len(found.customer) == len({tuple(log.profile(f"c{code}")) for code in range(IDS)} - {()} - unheard(log))
        for code, row in zip(found.customer.tolist(), found.features, strict=True):
            name, states = log.customers.name(code), JOURNEY.empty()
            assert log.profile(name)[0] == name
            JOURNEY.step(states, 0, log.history(name))
            assert row.tobytes() == JOURNEY.read(states, 0, cutoff).tobytes()


def unheard(log: SqliteLog) -> set[tuple[str, ...]]:
    """The profiles without an event: ids that others were told of, and who never said a word."""
    return {tuple(log.profile(f"c{code}")) for code in range(IDS) if not len(log.history(f"c{code}"))}


def test_without_merges_nothing_is_copied() -> None:
    events = np.zeros(5, EVENT)
    events["customer"], events["received"] = range(5), START
    past = past_of([events], np.empty(0, MERGE))
    assert past.apart.events is events or np.shares_memory(past.apart.events, events)
    assert known_at(past, START) is past.apart
    codes: Any = past.apart.customers
    assert past.people(codes) is codes


def test_events_learnt_at_one_moment_keep_the_order_of_the_log() -> None:
    """Of two members' events with one `received`, only the scan tells which came first."""
    events = np.zeros(40, EVENT)
    events["received"] = events["at"] = START
    events["customer"] = np.random.default_rng(1).integers(0, 2, 40)
    events["kind"] = np.random.default_rng(2).choice([1, 11, 22, 30, 41], 40)
    events["item"] = np.arange(40)
    merges = np.array([(START, 1, 0, 1, 0)], MERGE)
    states = JOURNEY.empty()
    JOURNEY.step(states, 0, events)
    found = replay_profiles(JOURNEY, past_of([events], merges), [START])
    assert found.customer.tolist() == [1]
    assert found.features.tobytes() == JOURNEY.read(states, 0, START).tobytes()
    assert final_states(JOURNEY, known_at(past_of([events], merges), START)).tobytes() == states.tobytes()
