"""The promotion log: what was live at any time, whatever the clock did, and whoever was killed while writing."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle.promotion_log import (
    ALIASES,
    CHAMPION,
    Alias,
    DamagedPromotions,
    Move,
    Promotions,
    fallbacks,
    live_at,
    named,
)
from tests.examples import examples

WRONG = '{"at":1,"alias":"champion","version":"a","previous":"","by":"train","reason":"","targets":[]}'
versions = st.sampled_from(["a1", "b2", "c3", "d4"])
moves = st.builds(
    Move,
    at=st.integers(0, 60),
    alias=st.sampled_from(ALIASES),
    version=versions,
    previous=st.just(""),
    by=st.sampled_from(["train", "retrain", "promote", "rollback", "hand"]),
    reason=st.text(max_size=5),
    targets=st.dictionaries(st.sampled_from(["churn_28d", "recommender"]), st.text(max_size=9)),
)


def champion(version: str, by: str = "train", at: int = 0) -> Move:
    """A move of the champion."""
    return Move(at, CHAMPION, version, "", by, "because")  # type: ignore[arg-type]


def written(path: Path, wanted: list[Move]) -> list[Move]:
    """The moves as the log has them after each was appended by a writer of its own."""
    done = []
    for move in wanted:
        with Promotions(path).writing() as append:
            done.append(append(move))
    return done


@settings(max_examples=examples(30), deadline=None)  # each waits for the disk
@given(st.lists(moves, max_size=12), st.integers(-1, 61), st.sampled_from(ALIASES))
def test_what_was_live_is_what_the_moves_up_to_then_leave(made: list[Move], at: int, alias: Alias) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "promotions.jsonl"
        done = written(path, made)
        log = Promotions(path).moves()
    assert log == done
    assert [move.at for move in log] == sorted(move.at for move in log)
    live: dict[str, Move] = {}
    for move in log:
        if move.at <= at:
            live[move.alias] = move
    assert live_at(log, at, alias) == live.get(alias)
    newest = {each: live_at(log, 61, each) for each in ALIASES}
    assert named(log) == {each: move.version for each, move in newest.items() if move}


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(moves, min_size=1, max_size=4), st.data())
def test_a_line_that_was_never_finished_is_no_move(made: list[Move], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "promotions.jsonl"
        done = written(path, made)
        content = path.read_bytes()
        kept = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:kept])
        whole = content[:kept].count(b"\n")
        assert Promotions(path).moves() == done[:whole]
        (again,) = written(path, [made[0]])
        assert Promotions(path).moves() == [*done[:whole], again]


def test_writers_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "promotions.jsonl"

    def write(writer: int) -> None:
        written(path, [champion(f"{writer}-{turn}", at=turn) for turn in range(10)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    log = Promotions(path).moves()
    assert len(log) == 40
    for writer in range(4):
        own = [move.version for move in log if move.version.startswith(f"{writer}-")]
        assert own == [f"{writer}-{turn}" for turn in range(10)]


@pytest.mark.parametrize("line", ["{", "{}", "[]", '{"at": 1, "alias": "king"}', "null", WRONG])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "promotions.jsonl"
    written(path, [champion("a1")])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DamagedPromotions, match=r"Line 2 of the promotion log .* Restore the file"):
        Promotions(path).moves()


def test_it_goes_back_past_what_it_went_back_from() -> None:
    log = [champion("a1"), champion("b2"), champion("c3")]
    assert fallbacks(log) == ["b2", "a1"]
    log.append(champion("b2", "rollback"))
    assert fallbacks(log) == ["a1"]
    log.append(champion("d4"))
    assert fallbacks(log) == ["b2", "a1"]
    log.append(champion("c3", "promote"))
    assert fallbacks(log) == ["d4", "b2", "a1"]
    log.append(champion("c3", "rollback"))  # a damaged copy was put back
    assert fallbacks(log) == ["d4", "b2", "a1"]
    log += [champion("e5", "recalibrate"), champion("f6", "recalibrate")]  # c3 at other levels
    assert fallbacks(log) == ["d4", "b2", "a1"]


@given(st.lists(st.one_of(versions, st.none()), max_size=15))
def test_a_way_back_never_leads_to_what_failed(steps: list[str | None]) -> None:
    """`None` is a step back, a version a promotion."""
    log: list[Move] = []
    failed: set[str] = set()
    for step in steps:
        if step is not None:
            log.append(champion(step, "promote"))
            failed.discard(step)
        elif fallbacks(log):
            failed.add(log[-1].version)
            log.append(champion(fallbacks(log)[0], "rollback"))
        found = fallbacks(log)
        assert len(set(found)) == len(found)
        assert not set(found) & failed
        assert not log or log[-1].version not in found
        assert set(found) == {move.version for move in log} - failed - {log[-1].version if log else ""}
