"""The scoreboard: columns equal to live answers, generations that come and go, one sweeper at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np

from features.events import DAY, Event, Kind
from features.journey import JOURNEY
from insights.segments import SEGMENTS
from models.bundle.answers import reasons_of
from serving.engine.engine import Engine
from serving.engine.scoreboard import Generation, Scoreboard, Sweeper, member_columns, member_rows, sweep
from serving.engine.scoreboard.board import KEPT
from serving.engine.scoreboard.files import BLANK, REPORT, REVISION, catalogue_digest
from serving.engine.scoreboard.top_reasons import TOP
from tests.serving.conftest import NOW, Place, serve


def board(place: Place) -> Scoreboard:
    """The scoreboard of a place."""
    return Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint)


def test_a_sweep_is_every_live_answer_at_one_moment(engine: Engine, place: Place) -> None:
    generation = sweep(engine, board(place), NOW)
    assert generation.count == len(engine.states.log.customers.names()) == 200
    for row, code in enumerate(generation.customers[::17]):
        scores = engine.score(engine.states.log.customers.name(int(code)), NOW)
        swept = [generation.columns[name][row * 17] for name in JOURNEY.names]
        assert np.array_equal(swept, scores.features, equal_nan=True)
        for target in ("conversion_7d", "churn_28d"):
            expected = np.float32(scores.probabilities.get(target, np.nan))
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
        (folder / REVISION.format(0)).write_text(json.dumps({"revision": 0}))

    with ThreadPoolExecutor(2) as pool:
        published = [pool.submit(each.publish, write, lambda: []) for each in (first, second)]
        assert sorted(each.result().name for each in published) == ["00000001", "00000002"]


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
    engine.states.erase(first, NOW)
    assert first not in [customer for customer, _ in member_rows(engine.states.log, generation, places)]
    assert sweep(engine, board(place), NOW).count == 199


def rounds(place: Place, engine: Engine, now: int = NOW) -> bool:
    """Whether a server that starts now would sweep."""
    sweeper = Sweeper(board(place), period=30)
    swept = sweeper.refresh(engine, lambda: now).swept
    sweeper.release()
    return swept is not None


def test_a_sweep_is_made_when_something_is_new(engine: Engine, place: Place) -> None:
    assert rounds(place, engine) and not rounds(place, engine)
    engine.states.record([Event("m-1", "anna", Kind.LOGIN, NOW, NOW)])
    assert rounds(place, engine) and not rounds(place, engine)
    assert rounds(place, engine, NOW + DAY) and not rounds(place, engine, NOW + DAY)


def test_between_sweeps_those_who_changed_are_refreshed(engine: Engine, place: Place) -> None:
    sweeper = Sweeper(board(place), period=30)
    assert sweeper.refresh(engine, lambda: NOW).swept is not None
    engine.states.record([Event("m-1", "anna", Kind.LOGIN, NOW, NOW)])
    done = sweeper.refresh(engine, lambda: NOW)
    current = sweeper.scoreboard.current()
    assert done.swept is None and 0 < done.rest < 30
    assert current is not None and (current.revision, current.count) == (1, 201)
    sweeper.release()


def test_one_of_all_processes_sweeps_and_another_takes_over(engine: Engine, place: Place) -> None:
    first, second = Sweeper(board(place), 30), Sweeper(board(place), 30)
    assert first.refresh(engine, lambda: NOW).swept is not None
    engine.states.record([Event("m-1", "anna", Kind.LOGIN, NOW, NOW)])
    assert second.refresh(engine, lambda: NOW).swept is None
    first.release()
    assert second.refresh(engine, lambda: NOW).swept is not None
    second.release()


def identify(number: int, customer: str, visitor: str) -> Event:
    """What merges a visitor into a customer."""
    return Event(f"id-{number}", customer, Kind.IDENTIFY, NOW, NOW, properties={"anonymous_id": visitor})


def test_an_erased_row_is_blank_in_every_file_and_every_mapping(engine: Engine, place: Place) -> None:
    writer, reader = board(place), board(place)
    generations = [sweep(engine, writer, NOW + number) for number in range(2)]
    mapped = [reader.generation(each.name) for each in generations]
    code = engine.states.log.customers.code("household-3")
    row = generations[0].customers.tolist().index(code)
    seen = [(each.columns["days_since_last"][row], each.customers[row]) for each in mapped if each]
    assert all(not np.isnan(days) and found == code for days, found in seen)
    engine.states.erase("household-3", NOW)
    assert writer.blank(engine.states.log.customers.names()) == 2
    for each in mapped:
        assert each is not None and each.customers[row] == BLANK
        assert all(np.isnan(column[row]) for column in each.columns.values())
        assert np.isnan(np.load(each.folder / "columns.npy")[:, row]).all()
        assert code not in np.load(each.folder / "customers.npy").tolist()
        rows = list(member_rows(engine.states.log, each, np.arange(each.count, dtype=np.int32)))
        assert len(rows) == 199 and "household-3" not in dict(rows)
    assert writer.blank(engine.states.log.customers.names()) == 0


def test_an_erasure_does_not_wait_for_a_sweep_and_reaches_it(engine: Engine, place: Place) -> None:
    class Slow(Scoreboard):
        """Somebody is erased when its rows are written, and not in place yet."""

        def publish(self, write: Callable[[Path], None], names: Callable[[], Sequence[str]]) -> Generation:
            def late(folder: Path) -> None:
                write(folder)
                other = place.engine()
                other.states.erase("household-3", NOW)
                assert board(place).blank(other.states.log.customers.names()) == 0
                other.states.close()
                assert folder.exists()

            return super().publish(late, names)

    generation = sweep(engine, Slow(place.folder / "scoreboard", JOURNEY.fingerprint), NOW)
    assert (generation.count, int((generation.customers == BLANK).sum())) == (200, 1)


def test_an_erasure_waits_for_a_generation_that_is_put_in_place(engine: Engine, place: Place) -> None:
    erasing = []

    class Slow(Scoreboard):
        """Which is asked to blank while it puts a generation in place."""

        def publish(self, write: Callable[[Path], None], names: Callable[[], Sequence[str]]) -> Generation:
            def late() -> Sequence[str]:
                erasing.append(pool.submit(board(place).blank, ["", *names()[1:]]))
                assert wait(erasing, timeout=0.2).not_done
                return names()

            return super().publish(write, late)

    with ThreadPoolExecutor(1) as pool:
        generation = sweep(engine, Slow(place.folder / "scoreboard", JOURNEY.fingerprint), NOW)
        assert erasing[0].result() == 1
    assert 0 not in generation.customers and BLANK in generation.customers


def test_blank_rows_are_a_reason_to_sweep(engine: Engine, place: Place) -> None:
    assert rounds(place, engine)
    engine.states.erase("household-3", NOW)
    board(place).blank(engine.states.log.customers.names())
    assert rounds(place, engine)
    current = board(place).current()
    assert current is not None and current.count == 199 and BLANK not in current.customers


def test_what_a_killed_sweep_left_is_removed(engine: Engine, place: Place) -> None:
    left = place.folder / "scoreboard" / ".draft-x"
    left.mkdir(parents=True)
    sweep(engine, board(place), NOW)
    assert not left.exists()
    left.mkdir()
    board(place).blank(engine.states.log.customers.names())
    assert not left.exists()


def test_a_profile_is_one_row_and_who_withdrew_has_none(engine: Engine, place: Place) -> None:
    engine.states.record([identify(1, "household-1", "household-2")])
    engine.states.record([Event("w-1", "household-4", Kind.CONSENT_WITHDRAW, NOW, NOW)])
    generation = sweep(engine, board(place), NOW)
    everyone = np.arange(generation.count, dtype=np.int32)
    names = [name for name, _ in member_rows(engine.states.log, generation, everyone)]
    assert len(names) == 198 and not {"household-2", "household-4"} & set(names)


def test_the_first_members_come_with_their_reasons(engine: Engine, place: Place) -> None:
    generation = sweep(engine, board(place), NOW)
    told = generation.reasons()["churn_28d"]
    places = generation.members("at-risk").tolist()
    assert places and set(places[:TOP]) <= told.keys()
    champion = engine.champions.require()
    for row in places[:5]:
        features = np.array([generation.columns[name][row] for name in JOURNEY.names], np.float32)
        assert told[row] == reasons_of(champion.bundle, "churn_28d", features)
    with serve(place) as client:
        first = client.get("/v1/segments/at-risk?limit=3").json()["members"][0]
        explained = client.post("/v1/scores?explain=true", json={"customer": first["customer"]}).json()
    assert first["reasons"]["churn_28d"] == explained["results"][0]["scores"]["churn_28d"]["reasons"]


def test_reasons_of_the_erased_are_erased(engine: Engine, place: Place) -> None:
    generation = sweep(engine, board(place), NOW)
    row = int(generation.members("ready-to-buy")[0])
    assert row in generation.reasons()["conversion_7d"]
    engine.states.erase(engine.states.log.customers.name(int(generation.customers[row])), NOW)
    board(place).blank(engine.states.log.customers.names())
    assert row not in generation.reasons()["conversion_7d"]
