"""A policy that writes to everybody as often as it may, and what is wrong with the decisions in a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from features.events import OUTBOUND, Channel, Kind, Stage
from features.grammar import Constant
from features.journey import JOURNEY
from features.log.contract import EventLog
from models.decisions.actions import DO_NOTHING, Action
from models.decisions.actions.action import CONTACTABLE
from models.decisions.policy import Policy
from serving.engine.engine import Engine
from serving.engine.state import CustomerState, StateStore

CAP = 3
"""Contacts in seven days that the contact policy allows."""

GREETING = Action(
    name="greeting",
    stages=tuple(Stage),
    channel=Channel.EMAIL,
    cost=0.0,
    value=Constant(5.0),
    conditions=CONTACTABLE,
    every=0,
    doc="Write to the customer.",
    assumption="It is worth more than anything else.",
)

EAGER = Policy(temperature=0.01, floor=0.001, actions=(GREETING, DO_NOTHING))


@dataclass
class _Before:
    """A store in which a customer is as it was before a decision."""

    log: EventLog
    state: CustomerState

    def load(self, customer: str) -> CustomerState:
        """The state as it was."""
        return self.state


def wrong_decisions(engine: Engine, customer: str, now: int) -> Iterator[str]:
    """Decisions of a customer, all asked for at `now` and on all channels, that judging at their place in the log
    would not give, and contacts beyond the cap."""
    log = engine.states.log
    records = log.history(customer)
    events = log.events(customer, len(records) + 1)[::-1]
    contacts = sum(each.kind is Kind.DECISION and each.channel in OUTBOUND for each in events)
    if contacts > CAP:
        yield f"{customer} was contacted {contacts} times"
    states, received = JOURNEY.empty(), 0
    for place, event in enumerate(events):
        if event.kind is Kind.DECISION:
            before = CustomerState(customer, place > 0, received, np.array(states))
            past = Engine(cast(StateStore, _Before(log, before)), JOURNEY, engine.champions)
            expected = past.judge(customer, event.message_id, now).event
            if expected is None or _told(expected) != _told(event):
                yield f"{event.message_id} of {customer} is {_told(event)}, expected {expected and _told(expected)}"
        JOURNEY.step(states, 0, records[place : place + 1])
        received = int(records["received"][place])


def _told(event: Any) -> dict[str, Any]:
    return {"action": event.category, "channel": event.channel, **event.properties}
