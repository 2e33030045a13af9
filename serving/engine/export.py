"""All that is held about a customer, as lines of JSON: the right of access, without HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import to_json

from features.events import Event
from features.fold.fold import Fold
from features.log.contract import DeadLetter, DeadLetterStore, IdentityStore
from features.times import moment
from serving.engine.customer import event_fields, number, position, segments_of, target_scores
from serving.engine.dead_letters import speaks_of
from serving.engine.engine import Engine
from serving.engine.erasure import merges_of
from serving.engine.scoreboard import Generation
from serving.engine.scores import CustomerScores

DEAD_LETTERS_AT_ONCE = 1000
"""Dead letters read at once."""


class Held(NamedTuple):
    """Everything held about a customer, ready to be written out."""

    customers: list[str]
    """Every id of the profile, its own first; the id asked for when the log knows none."""
    scores: CustomerScores
    features: dict[str, float]
    """The features of the state, also of a customer who withdrew the consent to be profiled."""
    merges: list[dict[str, Any]]
    events: list[Event]
    """Oldest first."""
    dead_letters: list[DeadLetter]


def held(engine: Engine, customer: str, now: int) -> Held:
    """All that the store holds about a customer's profile."""
    log = engine.states.log
    customers = log.profile(customer) or [customer]
    codes = {code for name in customers if (code := log.customers.code(name)) is not None}
    return Held(
        customers,
        engine.profile(customer, now),
        _features(engine, customer, now),
        [_merge(log, merge) for merge in merges_of(log, codes)],
        log.events(customer, max(1, len(log.history(customer))))[::-1],
        [letter for letter in _dead_letters(log) if speaks_of(letter, customers)],
    )


def _features(engine: Engine, customer: str, now: int) -> dict[str, float]:
    state = engine.states.load(customer)
    if not state.known:
        return {}
    values = engine.fold.read(state.states, 0, max(now, state.received)).tolist()
    return dict(zip(engine.fold.names, values, strict=True))


def _dead_letters(log: DeadLetterStore) -> Iterator[DeadLetter]:
    after = 0
    while some := log.dead_letters(DEAD_LETTERS_AT_ONCE, after=after):
        yield from some
        after = some[-1].number


def _merge(log: IdentityStore, merge: np.void) -> dict[str, Any]:
    return {
        "member": log.customers.name(int(merge["member"])),
        "profile": log.customers.name(int(merge["profile"])),
        "received": moment(int(merge["received"])),
        "undone": bool(merge["undone"]),
    }


def _raw(letter: DeadLetter) -> dict[str, str]:
    """The raw bytes of a dead letter as JSON carries them: as text, or in base64 where they are not UTF-8."""
    try:
        return {"raw": letter.raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(letter.raw).decode()}


def lines(fold: Fold, export: Held, generation: Generation | None = None) -> Iterator[bytes]:
    """The customer, then merges, events and dead letters, each kind oldest first; `record` says what a line is."""
    yield _line("customer", _summary(fold, export, generation))
    for merge in export.merges:
        yield _line("merge", merge)
    for event in export.events:
        yield _line("event", event_fields(event))
    for letter in export.dead_letters:
        yield _line("dead_letter", _letter(letter))


def _summary(fold: Fold, export: Held, generation: Generation | None) -> dict[str, Any]:
    scores = export.scores
    return {
        "as_of": moment(scores.as_of),
        "customer": scores.customer,
        "ids": export.customers,
        "known": scores.known,
        **position(fold, scores),
        "scores": target_scores(scores),
        "segments": segments_of(fold, scores, generation),
        "features": {name: number(value) for name, value in export.features.items()},
        "fingerprint": fold.fingerprint,
    }


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "source": letter.source,
        "position": letter.position,
        "field": letter.field,
        "reason": letter.reason,
        "received": moment(letter.received),
        **_raw(letter),
    }


def _line(record: str, content: dict[str, Any]) -> bytes:
    return to_json({"record": record, **content}) + b"\n"
