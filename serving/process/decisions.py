"""Decisions of one process: judged in a thread of their own, checked and written in the thread that writes.

Features, models and policy take a part of a millisecond, the actions of a shop perhaps more; meanwhile others write.
Only where a customer's state changes again and again does judging delay other writes.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from features.events import Channel
from serving.engine.decisions import Decided, Judged, Settled
from serving.engine.engine import Engine
from serving.process.engine_threads import EngineThread
from serving.process.group_commit import GroupCommit

JUDGED_BESIDE = 2
"""How often a decision is judged while others write, before it is judged in the thread that writes."""


async def decide(
    judge: EngineThread,
    writer: GroupCommit,
    customer: str,
    decision_id: str,
    now: int,
    channels: Collection[Channel] | None = None,
) -> Decided:
    """What `Engine.decide` answers; the transaction is as short as one that writes an event.

    Raises `Overloaded` when too many writes wait, a `LogError`, `ModelMissing` or `DecisionConflict`.
    """
    for _ in range(JUDGED_BESIDE):
        judged = await judge.ask(lambda engine: engine.judge(customer, decision_id, now, channels))
        settled = await _settle(writer, judged)
        if settled == "written":
            return judged.decided
        if settled == "taken":
            return await judge.ask(partial(Engine.repeat, judged=judged))
    return await writer.ask(lambda engine: engine.decide(customer, decision_id, now, channels), alone=False)


async def _settle(writer: GroupCommit, judged: Judged) -> Settled:
    """The outcome of writing a decision. One that is not to be written does not wait for the writer."""
    if judged.event is None:
        return "written"
    return await writer.ask(partial(Engine.settle, judged=judged), alone=False)
