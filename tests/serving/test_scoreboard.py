"""The scoreboard: columns equal to live answers, generations that come and go, one sweeper at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from features.events import DAY, Event, Kind
from features.journey import JOURNEY
from insights.segments import SEGMENTS
from serving.engine import Engine
from serving.scoreboard import Scoreboard, Sweeper, member_columns, member_rows, sweep
from serving.scoreboard.files import KEPT, REPORT, catalogue_digest
from tests.serving.conftest import NOW, Place


def board(place: Place) -> Scoreboard:
    """The scoreboard of a place."""
    return Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint)


def test_a_sweep_is_every_live_answer_at_one_moment(engine: Engine, place: Place) -> None:
    generation = sweep(engine, board(place), NOW)
    assert generation.count == len(engine.states.log.customers.names()) == 200
    for row, code in enumerate(generation.customers[::17]):
        standing = engine.score(engine.states.log.customers.name(int(code)), NOW)
        swept = [generation.columns[name][row * 17] for name in JOURNEY.names]
        assert np.array_equal(swept, standing.features, equal_nan=True)
        for target in ("conversion_7d", "churn_28d"):
            expected = np.float32(standing.scores.get(target, np.nan))
            assert np.array_equal(generation.columns[target][row * 17], expected, equal_nan=True)


def test_members_come_in_the_segments_order(engine: Engine, place: Place) -> None:
    generation = sweep(engine, board(place), NOW)
    for name, segment in SEGMENTS.items():
        places = generation.members(name)
        assert generation.report["segments"][name] == len(places)
        keys = segment.order_by.evaluate(generation.columns)[places]
        assert np.all(np.diff(keys[~np.isnan(keys)]) <= 0)
        rows = list(member_rows(engine.states.log, generation, places))
        assert [list(values) for _, values in rows] == [list(member_columns(generation))] * len(places)


def test_without_a_model_segments_that_ask_for_it_are_empty(place: Place) -> None:
    place.champion = place.folder / "none"
    engine = place.engine()
    generation = sweep(engine, board(place), NOW)
    assert generation.report["segments"]["at-risk"] == 0 < generation.report["segments"]["cart-abandoners"]
    assert generation.report["model_version"] is None
    engine.states.close()


def test_another_process_sees_the_new_generation_and_old_ones_go(engine: Engine, place: Place) -> None:
    writer, reader = board(place), board(place)
    assert reader.current() is None
    names = [sweep(engine, writer, NOW + number).name for number in range(KEPT + 2)]
    current = reader.current()
    assert current is not None and (current.name, current.as_of) == (names[-1], NOW + KEPT + 1)
    assert [reader.generation(name) is not None for name in names] == [False] * 2 + [True] * KEPT
    assert reader.generation("../champion") is None


def test_two_processes_that_publish_at_once_both_do(engine: Engine, place: Place) -> None:
    first, second = board(place), board(place)

    def write(folder: Path) -> None:
        (folder / "report.json").write_text(
            json.dumps({"fingerprint": JOURNEY.fingerprint, "catalogue": catalogue_digest()})
        )

    def write_late(folder: Path) -> None:
        write(folder)
        published.append(second.publish(write).name)

    published: list[str] = []
    assert first.publish(write_late).name == "00000002"
    assert published == ["00000001"]


def test_a_scoreboard_of_other_features_is_none(engine: Engine, place: Place) -> None:
    sweep(engine, board(place), NOW)
    assert Scoreboard(place.folder / "scoreboard", "another").current() is None


def test_a_scoreboard_of_other_segments_is_none(engine: Engine, place: Place) -> None:
    generation = sweep(engine, board(place), NOW)
    assert board(place).generation(generation.name) is not None
    (generation.folder / REPORT).write_text(json.dumps({**generation.report, "catalogue": "another"}))
    assert board(place).current() is None and board(place).generation(generation.name) is None


def test_a_scoreboard_that_cannot_be_read_is_none(place: Place) -> None:
    (place.folder / "scoreboard" / "CURRENT").mkdir(parents=True)
    assert board(place).current() is None
    assert board(place).generation("9" * 5000) is None


def test_whom_only_decisions_speak_of_is_not_counted(engine: Engine, place: Place) -> None:
    engine.decide("nobody", "d-1", NOW)
    assert sweep(engine, board(place), NOW).count == 200


def test_whoever_is_erased_is_not_given_out(engine: Engine, place: Place) -> None:
    generation = sweep(engine, board(place), NOW)
    places = generation.members("cart-abandoners")
    (first, _), *_ = member_rows(engine.states.log, generation, places)
    engine.states.erase(first)
    assert first not in [customer for customer, _ in member_rows(engine.states.log, generation, places)]
    assert sweep(engine, board(place), NOW).count == 199


def test_a_sweep_is_made_when_something_is_new(engine: Engine, place: Place) -> None:
    sweeper, moment = Sweeper(board(place), period=30), [NOW]

    def swept() -> bool:
        return sweeper.refresh(engine, lambda: moment[0])[1] is not None

    assert swept() and not swept()
    engine.record([Event("m-1", "anna", Kind.LOGIN, NOW, NOW)])
    assert swept() and not swept()
    moment[0] += DAY
    assert swept() and not swept()
    sweeper.release()


def test_one_of_all_processes_sweeps_and_another_takes_over(engine: Engine, place: Place) -> None:
    first, second = Sweeper(board(place), 30), Sweeper(board(place), 30)
    assert first.refresh(engine, lambda: NOW)[1] is not None
    engine.record([Event("m-1", "anna", Kind.LOGIN, NOW, NOW)])
    assert second.refresh(engine, lambda: NOW)[1] is None
    first.release()
    assert second.refresh(engine, lambda: NOW)[1] is not None
    second.release()
