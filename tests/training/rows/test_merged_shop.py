"""Training where customers have several ids: rows know what was known, labels and groups know who it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.events import DAY, EVENT, Event, Kind, days
from features.journey import JOURNEY
from features.log import open_log
from features.log.contract import MERGE
from features.replay.replay import final_states
from features.replay.snapshots import Past, known_at, past_of, replay_profiles
from tests.training.shop import past, world
from tests.worlds import OPENING
from training.recommenders.evaluation import evaluate_recommender
from training.recommenders.item_item import fit_recommender
from training.rows import dataset as module
from training.rows.dataset import consenting, content_digest, dataset, sample, willing
from training.rows.labels import OUT_OF_SCOPE, UNKNOWN, label
from training.rows.schedule import split
from training.targets import TARGETS

BUYS = TARGETS["conversion_7d"]
ANN, VISITOR, BOB = 0, 1, 2
NONE = np.empty(0, MERGE)


def happens(day: float, customer: int, kind: Kind, item: int = 3) -> NDArray[np.void]:
    """One event, received when it happened."""
    event = np.zeros(1, EVENT)
    event["at"] = event["received"] = OPENING + round(day * DAY)
    event["customer"], event["kind"], event["item"], event["amount"] = customer, kind, item, 10.0
    return event


def merged(day: float, member: int = VISITOR, profile: int = ANN, *, undone: bool = False) -> tuple[int, ...]:
    """A merge, or its undoing, received on a day."""
    return OPENING + round(day * DAY), round(day * 10), member, profile, int(undone)


def answers(events: list[NDArray[np.void]], merges: list[tuple[int, ...]], day: float = 2) -> dict[int, int]:
    """The labels of the rows at the end of a day, by customer."""
    known = past_of([np.concatenate(events)], np.array(merges, MERGE) if merges else NONE)
    rows = replay_profiles(JOURNEY, known, [OPENING + round(day * DAY)])
    found = label(BUYS, known, rows, OPENING + 20 * DAY)
    return dict(zip(rows.customer.tolist(), found.tolist(), strict=True))


VISITS = [happens(1, VISITOR, Kind.ITEM_VIEW), happens(1.5, ANN, Kind.ITEM_VIEW), happens(1.6, BOB, Kind.ITEM_VIEW)]


def test_a_visitor_who_buys_after_logging_in_did_convert() -> None:
    log = [*VISITS, happens(5, ANN, Kind.PURCHASE)]
    assert answers(log, []) == {ANN: 1, VISITOR: 0, BOB: 0}
    assert answers(log, [merged(4)]) == {ANN: 1, VISITOR: 1, BOB: 0}
    assert answers(log, [merged(1.9)]) == {ANN: 1, BOB: 0}
    assert answers(log, [merged(4), merged(6, undone=True)]) == {ANN: 1, VISITOR: 0, BOB: 0}


def test_who_has_withdrawn_by_the_cutoff_has_no_row() -> None:
    log = [*VISITS, happens(1.8, BOB, Kind.CONSENT_WITHDRAW), happens(3, ANN, Kind.CONSENT_WITHDRAW)]
    assert answers(log, []) == {ANN: 0, VISITOR: 0, BOB: OUT_OF_SCOPE}
    assert answers([*log, happens(1.9, BOB, Kind.CONSENT_GRANT)], [])[BOB] == 0
    # The label of a row whose profile withdrew under another id later is still the truth of its moment.
    assert answers(log, [merged(2.5)], day=1.9) == {ANN: 0, VISITOR: 0, BOB: OUT_OF_SCOPE}
    assert answers(log, [], day=15)[ANN] in (UNKNOWN, OUT_OF_SCOPE)


def test_the_recommender_learns_nothing_from_who_has_withdrawn() -> None:
    log = [happens(1 + n / 10, who, Kind.PURCHASED_ITEM, who) for n, who in enumerate((ANN, VISITOR, BOB))]
    known = past_of([np.concatenate([*log, happens(2, VISITOR, Kind.CONSENT_WITHDRAW)])], NONE)
    end = OPENING + 3 * DAY
    assert consenting(JOURNEY, known.apart, end).customers.tolist() == [ANN, BOB]
    assert consenting(JOURNEY, known.apart, OPENING + 3 * DAY // 2).customers.tolist() == [ANN, BOB]
    names = ["a", "b", "c", "d"]
    kept = fit_recommender(consenting(JOURNEY, known_at(known, end), end), names, end)
    assert kept.items == ["a", "c"]
    joined = past_of([np.concatenate([*log, happens(2, VISITOR, Kind.CONSENT_WITHDRAW)])], np.array([merged(2)], MERGE))
    assert consenting(JOURNEY, known_at(joined, end), end).customers.tolist() == [BOB]


def test_who_has_withdrawn_in_the_end_is_in_no_row_of_the_past_either() -> None:
    log = [
        *VISITS,
        happens(3, BOB, Kind.CONSENT_WITHDRAW),
        happens(3.1, BOB, Kind.CONSENT_GRANT),
        happens(4, VISITOR, Kind.CONSENT_WITHDRAW),
    ]
    end = OPENING + 5 * DAY

    def left(merges: list[tuple[int, ...]], now: int = end) -> tuple[list[int], int]:
        known = willing(JOURNEY, past_of([np.concatenate(log)], np.array(merges, MERGE) if merges else NONE), now)
        return replay_profiles(JOURNEY, known, [OPENING + 2 * DAY]).customer.tolist(), known.count

    assert left([]) == ([ANN, BOB], 4)
    assert left([merged(4.5)]) == ([BOB], 3)
    assert left([merged(3.5), merged(4.5, undone=True)]) == ([ANN, BOB], 4)
    assert left([], now=OPENING + 3 * DAY) == ([ANN, VISITOR], 3)


def split_in_two() -> Past:
    """The simulated shop, where every third customer was an anonymous visitor for 100 days, then logged in."""
    events = world().events.copy()
    number = int(events["customer"].max()) + 1
    login = OPENING + 100 * DAY
    visits = (events["customer"] % 3 == 0) & (events["received"] < login)
    events["customer"][visits] += number
    members = np.unique(events["customer"][visits])
    merges = np.array([(login, place, code, code - number, 0) for place, code in enumerate(members.tolist())], MERGE)
    return past_of([events], merges)


def test_after_the_login_rows_and_states_are_those_of_one_customer() -> None:
    whole, halves = past(), split_in_two()
    cutoffs = [OPENING + day * DAY for day in (60, 100, 140, 200)]
    expected, found = (replay_profiles(JOURNEY, each, cutoffs) for each in (whole, halves))
    late = [rows.cutoff >= cutoffs[1] for rows in (expected, found)]
    assert found.customer[late[1]].tolist() == expected.customer[late[0]].tolist()
    assert found.features[late[1]].tobytes() == expected.features[late[0]].tobytes()
    early = found.customer[found.cutoff == cutoffs[0]]
    assert early.max() > expected.customer.max()
    assert sorted(halves.people(early).tolist()) == expected.customer[expected.cutoff == cutoffs[0]].tolist()
    end = world().end
    states = [final_states(JOURNEY, known_at(each, end)).tobytes() for each in (whole, halves)]
    assert states[0] == states[1]
    assert halves.customers.tolist() == whole.customers.tolist() and halves.count == whole.count


def test_rows_of_one_person_are_one_group() -> None:
    halves = split_in_two()
    cutoffs = split(BUYS, OPENING, world().end)
    data = dataset(BUYS, halves, replay_profiles(JOURNEY, halves, cutoffs.cutoffs.tolist()), cutoffs, world().end)
    assert data.fit.cutoff.min() < OPENING + 100 * DAY
    assert set(data.fit.customer.tolist()) <= set(past().customers.tolist())


def test_the_recommender_is_judged_alike() -> None:
    end = world().end
    whole, halves = (evaluate_recommender(JOURNEY, each, world().items, end, 1) for each in (past(), split_in_two()))
    assert whole is not None and halves is not None
    assert whole.figures == halves.figures
    before = evaluate_recommender(JOURNEY, split_in_two(), world().items, OPENING + 103 * DAY, 1)
    assert before is not None and before.cutoff == OPENING + 103 * DAY - days(7)


def test_a_sample_keeps_ids_that_were_ever_joined_together(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = split_in_two()
    assert sample(halves, 1, 1) is halves
    monkeypatch.setattr(module, "MOST_ROWS", 400)
    some = sample(halves, 10, 1)
    assert len(some.customers) == 40
    rows = replay_profiles(JOURNEY, some, [OPENING + 60 * DAY])
    assert set(some.people(rows.customer).tolist()) <= set(some.customers.tolist())
    whole = replay_profiles(JOURNEY, halves, [OPENING + 60 * DAY])
    kept = np.isin(halves.people(whole.customer), some.customers)
    assert rows.features.tobytes() == whole.features[kept].tobytes()


def test_the_digest_is_that_of_the_merges_too() -> None:
    halves, names = split_in_two(), [str(code) for code in range(2_000)]
    found = content_digest(halves, names, world().items)
    later = halves.merges.copy()
    later["received"] += 1
    assert content_digest(Past(halves.apart, halves.joined, later), names, world().items) != found
    shifted = halves.merges.copy()
    shifted["offset"] += 1_000  # other customers' events came between
    assert content_digest(Past(halves.apart, halves.joined, shifted), names, world().items) == found


def test_a_log_is_replayed_as_it_serves(tmp_path: Path) -> None:
    """Over a real log: the history it serves a profile from, cut at the cutoff, stepped event by event."""
    moments = [OPENING + n * DAY for n in (1, 1, 1, 2, 2, 3, 4)]
    whose = ["visitor", "ann", "visitor", "ann", "phone", "ann", "bob"]
    events = [
        Event(f"m{n}", who, Kind.ITEM_VIEW, at, at, item=f"i{n}")
        for n, (who, at) in enumerate(zip(whose, moments, strict=True))
    ]
    joins = [
        Event(f"j{who}", "ann", Kind.IDENTIFY, OPENING + 5 * DAY, OPENING + 5 * DAY, properties={"anonymous_id": who})
        for who in ("visitor", "phone")
    ]
    with closing(open_log(tmp_path / "log.db")) as log:
        log.append(events)
        log.append(joins)
        known = past_of(log.scan(), log.merges())
        cutoff = OPENING + 6 * DAY
        rows = replay_profiles(JOURNEY, known, [cutoff])
        assert [log.customers.name(code) for code in rows.customer] == ["ann", "bob"]
        for who, row in zip(("ann", "bob"), rows.features, strict=True):
            states = JOURNEY.empty()
            JOURNEY.step(states, 0, log.history(who))
            assert row.tobytes() == JOURNEY.read(states, 0, cutoff).tobytes()
        before = replay_profiles(JOURNEY, known, [OPENING + 4 * DAY])
        log.unmerge("ann", OPENING + 7 * DAY)
        apart = past_of(log.scan(), log.merges())
        assert replay_profiles(JOURNEY, apart, [OPENING + 4 * DAY]).features.tobytes() == before.features.tobytes()
        assert len(replay_profiles(JOURNEY, apart, [OPENING + 7 * DAY]).customer) == 4
