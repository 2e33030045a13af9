"""The oracle: the generated fold as plain Python gives the very bytes that the compiled one gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from features.events import DAY, EVENT, HOUR, Channel, Event, Kind
from features.journey import JOURNEY
from features.log.sqlite import SqliteLog
from features.replay.audit import Mismatch, Oracle, audit, everyone, sample
from tests.examples import examples
from tests.histories import START, histories_of

ORACLE = Oracle(JOURNEY)


def compiled(events: NDArray[np.void]) -> NDArray[np.void]:
    """The state that the compiled fold makes."""
    states = JOURNEY.empty()
    JOURNEY.step(states, 0, events)
    return states


@given(histories_of(customers=1, longest=60))
@settings(max_examples=examples(60), deadline=None)
def test_plain_python_gives_the_bytes_of_the_machine_code(events: NDArray[np.void]) -> None:
    assert ORACLE.differences(compiled(events), events) == ()


@pytest.mark.parametrize("pause", [HOUR, DAY, 9 * DAY])
@pytest.mark.parametrize("largest", [1e-3, 300.0, 1e15])
def test_sums_that_must_be_rounded_are_rounded_alike(pause: int, largest: float) -> None:
    random = np.random.default_rng(5)
    for turn in range(12):
        size = int(random.integers(1, 120))
        kinds = [int(kind) for kind in Kind]
        events = np.zeros(size, EVENT)
        events["received"] = START + np.cumsum(random.integers(0, pause, size))
        events["at"] = events["received"] - np.where(random.random(size) < 0.5, 0, random.integers(0, 40 * DAY, size))
        # Every other time but a few kinds, so that many events meet in one sum.
        events["kind"] = random.choice(kinds if turn % 2 else [Kind.PURCHASE, Kind.CART_ADD, Kind.ITEM_VIEW], size)
        events["channel"] = random.choice([int(channel) for channel in Channel], size)
        events["item"] = random.integers(-1, 40, size)
        events["category"] = random.integers(-1, 2**31 - 1, size)
        for column, scale in (("quantity", 7.0), ("score", 9.0), ("amount", largest)):
            events[column] = np.where(random.random(size) < 0.1, np.nan, random.random(size) * scale)
        assert ORACLE.differences(compiled(events), events) == ()


def test_a_bit_that_differs_is_named() -> None:
    events = np.zeros(3, EVENT)
    events["received"] = events["at"] = START
    events["kind"] = int(Kind.PURCHASE)
    states = compiled(events)
    states["count_purchase__number"] += 1
    assert ORACLE.differences(states, events) == ("count_purchase__number",)


def test_an_audit_names_the_code_and_never_the_customer(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.append([Event(f"m-{n}", f"c-{n % 3}", Kind.PURCHASE, START + n, START + n, amount=n) for n in range(30)])

    def load(customer: str) -> NDArray[np.void]:
        states = compiled(log.history(customer))
        if customer == "c-1":
            states["count_purchase__number"] = 0
        return states

    found = [audit(ORACLE, log, load, customer) for customer in everyone(log.customers)]
    assert found == [None, Mismatch(1, ("count_purchase__number",)), None]
    log.close()


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.append([Event(f"m-{n}", f"c-{n}", Kind.PAGE_VIEW, START, START) for n in range(50)])
    log.erase("c-7", START)
    drawn = sample(log.customers, 10, seed=3)
    assert drawn == sample(log.customers, 10, seed=3) != sample(log.customers, 10, seed=4)
    assert len(set(drawn)) == 10
    assert (
        set(sample(log.customers, 1000, seed=1))
        == set(everyone(log.customers))
        == {f"c-{n}" for n in range(50) if n != 7}
    )
    log.close()


def test_a_fold_without_its_compiler_cannot_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.replay.audit._COMPILER", "from another import compiler\n")
    with pytest.raises(ValueError, match="cannot be run without it"):
        Oracle(JOURNEY)
