"""The refresh: a board that was refreshed is the board that a sweep would make, whatever happened in between."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import DAY, HOUR, Event, Kind
from features.journey import JOURNEY
from insights.segments import SEGMENTS
from models.bundle.loaded import Champions
from serving.engine.engine import Engine
from serving.engine.scoreboard import Generation, Scoreboard, member_rows, refresh, sweep
from serving.engine.scoreboard import board as boards
from serving.engine.scoreboard.files import BLANK
from serving.engine.scoreboard.top_reasons import TOP
from serving.engine.state import open_states
from serving.engine.state.contract import StateChunk
from tests import postgres
from tests.examples import examples
from tests.serving.conftest import NOW, Place
from tests.serving.shop import shop

Step = tuple[str, int, int]

KINDS = (Kind.LOGIN, Kind.CART_ADD, Kind.PURCHASE, Kind.SURVEY_NPS, Kind.CONSENT_WITHDRAW, Kind.CONSENT_GRANT)
STEPS = (*(kind.name for kind in KINDS), "merge", "unmerge", "import", "erase", "refresh")
PEOPLE = 9
"""Few, so that one story happens to the same people; some of them are new."""


def who(number: int) -> str:
    """Every third is somebody the shop has never seen."""
    return f"household-{number}" if number % 3 else f"guest-{number}"


def take(engine: Engine, board: Scoreboard, number: int, step: Step) -> None:
    """One thing that happens to a store."""
    what, one, other = step
    states, log = engine.states, engine.states.log
    if what == "refresh":
        assert refresh(engine, board, NOW) is not None
    elif what == "merge":
        visitor = {"anonymous_id": who(other)}
        engine.states.record([Event(f"s-{number}", who(one), Kind.IDENTIFY, NOW, NOW, properties=visitor)])
    elif what == "unmerge":
        states.unmerge(who(one), NOW)
    elif what == "import":
        past = NOW - (1 + other) * DAY
        log.append([Event(f"s-{number}", who(one), Kind.PURCHASE, past, past, amount=5.0 + other)], history=True)
    elif what == "erase":
        states.erase(who(one), NOW)
        board.blank(log.customers.names())
    else:
        at, told = NOW - HOUR * other, float(other)
        event = Event(
            f"s-{number}", who(one), Kind[what], at, NOW, item="item-1", quantity=1.0, amount=1.0 + told, score=told
        )
        states.record([event])


def shown(engine: Engine, generation: Generation) -> dict[str, list[object]]:
    """Everything that can be read of a board: each customer's row, the members of each segment, the counts."""
    names = engine.states.log.customers
    codes, matrix = generation.customers, np.stack(list(generation.columns.values()))
    told: dict[str, list[object]] = {
        names.name(int(codes[place])): [matrix[:, place].tobytes()] for place in generation.everyone()
    }
    reasons = generation.reasons()
    assert set(reasons) == {"conversion_7d", "churn_28d"}
    for segment in SEGMENTS:
        places = generation.candidates(segment)
        told[f"[{segment}]"] = [name for name, _ in member_rows(engine.states.log, generation, places)]
        assert len(told[f"[{segment}]"]) == generation.report["candidates"][segment]
        told[f"[{segment}]"] += [
            {target: each.get(place) for target, each in reasons.items()} for place in places[:TOP].tolist()
        ]
    told["[counts]"] = [generation.count, generation.offset, generation.report["columns"]]
    return told


def assert_same_as_swept(engine: Engine, folder: Path, steps: list[Step]) -> None:
    """Play the steps on a board, refresh, and compare with a sweep at the same moment."""
    board = Scoreboard(folder / "board", JOURNEY.fingerprint)
    sweep(engine, board, NOW)
    for number, step in enumerate([*steps, ("LOGIN", 1, 0), ("refresh", 0, 0)]):
        take(engine, board, number, step)
    refreshed = board.current()
    swept = sweep(engine, Scoreboard(folder / "swept", JOURNEY.fingerprint), NOW)
    assert refreshed is not None and refreshed.revision > 0
    assert shown(engine, refreshed) == shown(engine, swept)


STORY = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, PEOPLE), st.integers(0, PEOPLE)), max_size=12)


@settings(max_examples=examples(8), deadline=None)
@given(steps=STORY)
def test_a_refreshed_board_is_a_swept_one(
    steps: list[Step], stocked: Path, champion: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path_factory.mktemp("story"), champion)
    shutil.copy(stocked, place.folder / "waypost.db")
    with closing(place.engine().states) as states:
        assert_same_as_swept(Engine(states, JOURNEY, champions(champion)), place.folder, steps)
    shutil.rmtree(place.folder)


@pytest.mark.slow
def test_a_refreshed_board_is_a_swept_one_on_postgresql(tmp_path: Path, champion: Path) -> None:
    draw = random.Random(7)
    steps = [(draw.choice(STEPS), draw.randrange(PEOPLE + 1), draw.randrange(PEOPLE + 1)) for _ in range(60)]
    with closing(open_states(postgres.place(tmp_path), JOURNEY, busy_seconds=20)) as states:
        states.log.append(shop(NOW, customers=30), history=True)
        assert_same_as_swept(Engine(states, JOURNEY, champions(champion)), tmp_path, steps)


def champions(bundle: Path) -> Champions:
    """The champion of a bundle."""
    found = Champions(bundle, JOURNEY)
    found.refresh()
    return found


@pytest.fixture
def board(engine: Engine, place: Place) -> Scoreboard:
    """A board that was swept."""
    found = Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint)
    sweep(engine, found, NOW)
    return found


def answer(engine: Engine, number: int, customer: str, score: float = 9.0) -> None:
    """A customer's answer to a survey, by which promoters are known."""
    engine.states.record([Event(f"a-{number}", customer, Kind.SURVEY_NPS, NOW, NOW, score=score)])


def names_of(engine: Engine, generation: Generation, places: NDArray[np.int32]) -> list[str]:
    return [name for name, _ in member_rows(engine.states.log, generation, places)]


def test_a_page_goes_on_in_the_revision_it_began_in(engine: Engine, board: Scoreboard, place: Place) -> None:
    reader = Scoreboard(board.directory, JOURNEY.fingerprint)
    first = reader.current()
    assert first is not None
    before = names_of(engine, first, first.members("promoters"))
    for number, customer in enumerate(["household-1", "household-2", "guest"]):
        answer(engine, number, customer)
        assert refresh(engine, board, NOW) is not None
    newest, again = reader.current(), reader.generation(first.name)
    assert newest is not None and again is not None and newest.name == f"{first.name}0003"
    assert names_of(engine, again, again.members("promoters")) == before
    assert {"household-1", "household-2", "guest"} <= set(names_of(engine, newest, newest.members("promoters")))
    assert newest.rows is first.rows or newest.rows.folder == first.rows.folder
    assert reader.generation(f"{first.name}0004") is None


def test_old_revisions_go(engine: Engine, board: Scoreboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "MOST_KEPT", 2)
    monkeypatch.setattr(boards, "LEAST_KEPT", 1)
    first = board.current()
    assert first is not None
    for number in range(5):
        answer(engine, number, f"household-{number}")
        refresh(engine, board, NOW + number)
    kept = [board.generation(f"{first.folder.name}{number:04d}") is not None for number in range(6)]
    assert kept == [False] * 4 + [True] * 2
    assert len(list(first.folder.glob("promoters-*.npy"))) == 2
    current = board.current()
    assert current is not None
    assert all(current.members(segment) is not None for segment in SEGMENTS)


class Killed(Scoreboard):
    """A scoreboard whose process dies when all is written but the pointer."""

    def point_at(self, name: str) -> None:
        """Die."""
        raise KeyboardInterrupt(name)


def test_what_a_killed_refresh_left_is_written_over(engine: Engine, board: Scoreboard) -> None:
    before = board.current()
    assert before is not None
    answer(engine, 1, "household-3")
    with pytest.raises(KeyboardInterrupt):
        refresh(engine, Killed(board.directory, JOURNEY.fingerprint), NOW)
    assert board.current() is before
    engine.states.erase("household-3", NOW)
    board.blank(engine.states.log.customers.names())  # the rows that nobody points at, too
    answer(engine, 2, "household-4")
    after = refresh(engine, board, NOW)
    assert after is not None and after.revision == 1
    told = names_of(engine, after, after.everyone().astype(np.int32))
    assert len(told) == 199 and "household-3" not in told


def test_reasons_that_a_killed_refresh_left_are_of_other_rows(engine: Engine, board: Scoreboard) -> None:
    swept = board.current()
    assert swept is not None
    first, second = sorted(int(swept.customers[place]) for place in swept.members("at-risk")[:2])
    answer(engine, 1, engine.states.log.customers.name(second))
    with pytest.raises(KeyboardInterrupt):
        refresh(engine, Killed(board.directory, JOURNEY.fingerprint), NOW)
    answer(engine, 2, engine.states.log.customers.name(first))
    after = refresh(engine, board, NOW)
    assert after is not None and after.used == swept.used + 2
    assert shown(engine, after) == shown(engine, sweep(engine, board, NOW))


def test_who_is_erased_during_a_refresh_does_not_come_back(
    engine: Engine, board: Scoreboard, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(engine, 1, "household-3")
    answer(engine, 2, "household-4")
    load = engine.states.load_many

    def late(profiles: NDArray[np.int32]) -> object:
        loaded = load(profiles)
        with closing(place.engine().states) as other:
            other.erase("household-3", NOW)
            Scoreboard(board.directory, JOURNEY.fingerprint).blank(other.log.customers.names())
        return loaded

    code = engine.states.log.customers.code("household-3")
    monkeypatch.setattr(engine.states, "load_many", late)
    after = refresh(engine, board, NOW)
    assert after is not None and after.count == 199
    assert code not in after.rows.customers and BLANK in after.customers
    assert "household-4" in names_of(engine, after, after.members("promoters"))


def test_who_comes_during_a_sweep_is_refreshed(
    engine: Engine, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, swept = Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint), engine.states.sweep

    def late() -> Iterator[StateChunk]:
        for number, chunk in enumerate(swept(50)):
            yield chunk
            answer(engine, number, f"late-{number}")
            answer(engine, 10 + number, f"household-{number}")

    engine.states.heal()
    monkeypatch.setattr(engine.states, "sweep", late)
    assert sweep(engine, found, NOW).count == 200
    monkeypatch.undo()
    after = refresh(engine, found, NOW)
    again = sweep(engine, Scoreboard(tmp_path / "again", JOURNEY.fingerprint), NOW)
    assert after is not None and after.count > 200
    assert shown(engine, after) == shown(engine, again)


def test_another_model_or_too_many_changes_take_a_sweep(
    engine: Engine, board: Scoreboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refresh(engine, board, NOW) is board.current()
    for number in range(3):
        answer(engine, number, f"household-{number}")
    monkeypatch.setattr(import_module("serving.engine.scoreboard.refresh"), "MOST", 2)
    assert refresh(engine, board, NOW) is None
    monkeypatch.undo()
    engine.champions = Champions(Path("nowhere"), JOURNEY)
    assert refresh(engine, board, NOW) is None


def test_readers_find_whole_rows_while_others_are_added(engine: Engine, board: Scoreboard) -> None:
    stopping = threading.Event()
    faults: list[str] = []
    seen = set()

    def read() -> None:
        reader = Scoreboard(board.directory, JOURNEY.fingerprint)
        while not stopping.is_set():
            generation = reader.current()
            if generation is None:
                faults.append("no board")
                continue
            seen.add(generation.revision)
            places = generation.members("promoters")
            if len(places) != generation.report["segments"]["promoters"]:
                faults.append("places")
            # The latest answer and the days since it were written in one row: both or none are there.
            columns = [generation.columns[name][places] for name in ("nps_latest", "days_since_first", "stage")]
            if np.isnan(columns[1]).any() or (generation.customers[places] == BLANK).any():
                faults.append("rows")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    try:
        for number in range(40):
            answer(engine, number, f"household-{number % 7}", float(number % 11))
            refresh(engine, board, NOW + number)
    finally:
        stopping.set()
        for each in readers:
            each.join()
    assert not faults and len(seen) > 5


@pytest.fixture(autouse=True)
def _compiled() -> Iterator[None]:
    JOURNEY.compile()
    yield
