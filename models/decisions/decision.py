"""What a decision is, as plain data, and the events by which decisions and rewards enter the log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from features.events import Channel, Event, Kind, Stage


class Reason(NamedTuple):
    """One rule that an action was tested against, and the result.

    `kind` is "stage", "channel", "condition", "frequency" or "value". `rule` says what was expected. `actual` are the
    columns and their values (NaN: not known), or the hours since the last time and the hours left.
    """

    kind: str
    rule: str
    passed: bool
    actual: Mapping[str, float | str]

    @property
    def text(self) -> str:
        """The reason as a sentence: `contacts_7d < 3: no (contacts_7d is 5)`."""
        actual = ", ".join(f"{name} is {_shown(value)}" for name, value in self.actual.items())
        return f"{self.rule}: {'yes' if self.passed else 'no'} ({actual})"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is not known becomes None."""
        actual = {name: _json_value(value) for name, value in self.actual.items()}
        return {"kind": self.kind, "rule": self.rule, "passed": self.passed, "actual": actual}


class Considered(NamedTuple):
    """One action as it was judged: `score` is its value less its cost (NaN: not known)."""

    action: str
    channel: Channel
    eligible: bool
    reasons: tuple[Reason, ...]
    score: float
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; a score that is not known becomes None."""
        return {
            "action": self.action,
            "channel": self.channel.name.lower(),
            "eligible": self.eligible,
            "score": _json_value(self.score),
            "probability": self.probability,
            "reasons": [reason.to_json() for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """The action chosen for one customer at one moment.

    `probability` is the probability with which `action` was drawn; it is never 0, because only decisions with their
    propensity can be evaluated later. `propensities` holds every eligible action and sums to 1. `mode` is "exploit"
    when the chosen action has the highest score of the eligible ones, else "explore". `needs_content` is "items" when
    the action shows recommended items, else "". `considered` lists all actions in the order of the catalogue.
    """

    decision_id: str
    action: str
    channel: Channel
    stage: Stage
    mode: str
    probability: float
    propensities: dict[str, float]
    needs_content: str
    considered: tuple[Considered, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the reasons included."""
        return {
            "decision_id": self.decision_id,
            "action": self.action,
            "channel": self.channel.name.lower(),
            "stage": self.stage.name.lower(),
            "mode": self.mode,
            "probability": self.probability,
            "needs_content": self.needs_content,
            "considered": [action.to_json() for action in self.considered],
        }


def decision_event(decision: Decision, customer: str, now: int, *, model_version: str = "") -> Event:
    """The event by which a decision enters the log, with the eligible set and all its probabilities.

    The decision's id is the event's message id, so a decision repeated by a retried request enters once.
    """
    return Event(
        message_id=decision.decision_id,
        customer=customer,
        kind=Kind.DECISION,
        at=now,
        received=now,
        channel=decision.channel,
        category=decision.action,
        properties={
            "stage": decision.stage.name.lower(),
            "mode": decision.mode,
            "probability": decision.probability,
            "propensities": decision.propensities,
            "model_version": model_version,
        },
    )


def reward_event(
    reward_id: str, decision_id: str, action: str, customer: str, value: float, now: int, *, money: bool = False
) -> Event:
    """The event by which the outcome of a decision enters the log; `money` says that `value` is currency.

    Raises ValueError when `value` is not a finite number.
    """
    if not math.isfinite(value):
        raise ValueError(f"the reward of decision {decision_id} is {value}; expected a finite number")
    return Event(
        message_id=reward_id,
        customer=customer,
        kind=Kind.REWARD,
        at=now,
        received=now,
        category=action,
        amount=value if money else math.nan,
        properties={"decision_id": decision_id, "value": value},
    )


def _json_value(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "unknown" if math.isnan(value) else f"{value:.6g}"
