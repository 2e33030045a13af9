"""Undo the merges of a profile, and erase a customer everywhere.

A customer is in five places: the store (events, merges, state, dead letters), a second log of history where there is
one, the scoreboard's files, the kept journal, and the models trained on it. The first four are erased. The receipt
names the versions of the models, which only a new training replaces.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from features.events import Kind
from features.log import open_log
from features.log.contract import Erased, EventStore, IdentityStore, LogBusy, Records, TrainingStore
from features.times import moment
from insights.journal.kept import Kept
from serving.engine.engine import Engine
from serving.engine.scoreboard import Scoreboard


class ErasedHere(NamedTuple):
    """What was removed from one log, and the models trained on it."""

    customers: list[str]
    """Every id of the profile."""
    events: int
    dead_letters: int
    merges: int
    decisions: int
    """How many of the events were decisions of Waypost."""
    states: int
    models: list[str]
    """Versions of the bundles trained on any of the events, oldest first."""
    complete: bool = True
    """Whether the bytes were overwritten too."""


NOTHING = ErasedHere([], 0, 0, 0, 0, 0, [])


def unmerge(engine: Engine, customer: str, now: int) -> tuple[list[str], list[list[str]]]:
    """Take a member out of its profile, or all members out of a profile.

    Returns the ids taken out, and all profiles that there are now in place of the former one.
    """
    with engine.states.transaction():
        together = engine.states.log.profile(customer)
        separated = engine.states.unmerge(customer, now)
        profiles = [engine.states.log.profile(name) for name in together]
    return separated, [profile for name, profile in zip(together, profiles, strict=True) if profile[:1] == [name]]


class Known(NamedTuple):
    """The ids of a customer, read before an erasure."""

    customers: list[str]
    """Every id of the profile; the id asked for when the log knows none."""
    once_merged: list[int]
    """Codes of customers who were once merged with one of these ids and no longer are: their scoreboard rows of that
    time were computed from events of these ids too."""


def known_as(log: IdentityStore, customer: str) -> Known:
    """All ids of a customer's profile, and the customers they were once merged with."""
    customers = log.profile(customer) or [customer]
    own = {code for name in customers if (code := log.customers.code(name)) is not None}
    joined = {code for merge in merges_of(log, own) for code in (int(merge["member"]), int(merge["profile"]))}
    return Known(customers, sorted(joined - own))


def erase(engine: Engine, customer: str, now: int) -> ErasedHere:
    """Remove every trace of a customer's profile from the store, for good.

    Call it outside of any transaction: the store overwrites its files after the commit. When it cannot, because
    somebody reads them, the answer still says what was removed.
    """
    log = engine.states.log
    erased = None
    try:
        with engine.states.transaction():
            known = engine.states.load(customer).known
            decisions = _decisions(log, customer)
            erased = _erased_here(log, engine.states.erase(customer, now), decisions, int(known))
    except LogBusy:
        if erased is None or any(log.profile(name) for name in erased.customers):
            raise
        return erased._replace(complete=False)
    return erased


def erase_history(place: str, customers: Sequence[str], now: int) -> ErasedHere:
    """Remove customers from a second log, such as `parquet:data/history`.

    Raises a `LogError`, and `LogMissing` when there is no log at `place`.
    """
    total = NOTHING
    with closing(open_log(place, create=False)) as log:
        for customer in customers:
            decisions = _decisions(log, customer)
            total = both(total, _erased_here(log, log.erase(customer, now), decisions, 0))
    return total


class Step(NamedTuple):
    """One step of an erasure: what runs, and which thread of a server may run it."""

    thread: Literal["reader", "writer", "other"]
    """A `reader` or `writer` holds an engine and gives it to `run`; an `other` thread calls `run` without one."""
    run: Callable[..., Any]


Steps = Generator[Step, Any, "Receipt"]


def erasing(board: Scoreboard, journal: Path, history: str, customer: str, now: int) -> Steps:
    """The steps that erase a customer from the second log at `history` (empty for none), the store and the scoreboard.

    The journal kept in a folder is deleted as a whole: it is made anew for the next question. The caller runs the
    steps one after the other, sends back what each returned and throws in what it raised; the generator returns the
    receipt. The second log comes first: only the store knows the profile's ids, and must still know them if the
    erasure fails and is repeated.
    """
    known: Known = yield Step("reader", lambda engine: known_as(engine.states.log, customer))
    there: ErasedHere | None = None
    if history:
        there = yield Step("other", lambda: erase_history(history, known.customers, now))
    try:
        here: ErasedHere = yield Step("writer", lambda engine: erase(engine, customer, now))
    finally:
        blanked = yield Step(
            "reader", lambda engine: board.blank(engine.states.log.customers.names(), known.once_merged)
        )
        yield Step("other", Kept(journal).forget)
    late = [name for name in here.customers if name not in known.customers]
    if there and late:  # merged after the second log was erased
        there = both(there, (yield Step("other", lambda: erase_history(history, late, now))))
    return receipt(here, there, blanked, now)


def erase_at_once(engine: Engine, steps: Steps) -> Receipt:
    """Run all steps of an erasure in the calling thread."""
    try:
        step = next(steps)
        while True:
            try:
                done = step.run() if step.thread == "other" else step.run(engine)
            except BaseException as error:  # the steps clean up after an interrupt too
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as end:
        erased: Receipt = end.value
        return erased


def both(first: ErasedHere, second: ErasedHere) -> ErasedHere:
    """The sum of two erasures."""
    return ErasedHere(
        list(dict.fromkeys([*first.customers, *second.customers])),
        first.events + second.events,
        first.dead_letters + second.dead_letters,
        first.merges + second.merges,
        first.decisions + second.decisions,
        first.states + second.states,
        list(dict.fromkeys([*first.models, *second.models])),
        first.complete and second.complete,
    )


@dataclass(frozen=True)
class ErasedHistory:
    """What was removed from the second log."""

    events: int
    dead_letters: int
    merges: int


@dataclass(frozen=True)
class Receipt:
    """What an erasure removed. It names nobody, so that it can be kept; `serving.http` documents each field."""

    receipt_id: str
    as_of: datetime
    erased: bool
    complete: bool
    customer_ids: int
    events: int
    decisions: int
    states: int
    merges: int
    dead_letters: int
    scoreboard_rows: int
    history: ErasedHistory | None
    models: list[str]
    tombstone: Literal[True] = True


def receipt(store: ErasedHere, history: ErasedHere | None, blanked: int, now: int) -> Receipt:
    """The receipt of an erasure from the store, from the second log, if there is one, and of scoreboard rows."""
    whole = both(store, history or NOTHING)
    rows = whole.events + whole.dead_letters + whole.merges + whole.states + blanked
    return Receipt(
        receipt_id=os.urandom(8).hex(),
        as_of=moment(now),
        erased=rows + len(whole.customers) > 0,
        complete=whole.complete,
        customer_ids=len(whole.customers),
        events=store.events,
        decisions=store.decisions,
        states=store.states,
        merges=store.merges,
        dead_letters=store.dead_letters,
        scoreboard_rows=blanked,
        history=history and ErasedHistory(history.events, history.dead_letters, history.merges),
        models=whole.models,
    )


def _decisions(log: EventStore, customer: str) -> int:
    return int(np.count_nonzero(log.history(customer)["kind"] == int(Kind.DECISION)))


def _erased_here(log: TrainingStore, erased: Erased, decisions: int, states: int) -> ErasedHere:
    models = [
        training.version for training in log.trainings() if erased.events and training.until >= erased.first_received
    ]
    return ErasedHere(
        erased.customers, erased.events, erased.dead_letters, erased.merges, decisions, states,
        list(dict.fromkeys(models)),
    )  # fmt: skip


def merges_of(log: IdentityStore, codes: Collection[int]) -> Records:
    """The merges of any of these ids, those undone too."""
    merges, asked = log.merges(), list(codes)
    matching: Records = merges[np.isin(merges["member"], asked) | np.isin(merges["profile"], asked)]
    return matching
