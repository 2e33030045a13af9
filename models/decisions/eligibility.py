"""Which actions are eligible for a customer, with reasons and scores: compiled to one Python function.

The expressions of the catalogue are compiled into one function that reads each column once and tests each distinct
condition once. It takes 25 microseconds for a customer; `Expr.evaluate`, which is made for whole columns, takes 600
(`python -m benchmarks.own_ways --parts conditions`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from features.aggregates import kernels
from features.conditions import is_condition
from features.events import HOUR, Stage
from features.grammar import Expr, duration_text
from features.journey import Journey
from models.decisions.actions import Action
from models.decisions.decision import Reason

Row = Mapping[str, float]
Judgement = tuple[bool, float, tuple[Reason, ...]]
"""Whether an action is eligible, its score (value less cost, NaN: not known), and the reasons."""

Judge = Callable[[Row, Stage, Mapping[str, int], int], list[Judgement]]
"""From a customer's row, its stage, the time each action was last chosen, and now, to one judgement per action."""


def compile_judge(actions: Sequence[Action]) -> Judge:
    """A function that judges every action for one customer.

    Its row holds Python floats. It raises KeyError for a feature that is missing in the row; a target that is missing
    counts as NaN.
    """
    compiled = compile(judge_text(actions), "<the actions, judged>", "exec")
    code = next(constant for constant in compiled.co_consts if isinstance(constant, CodeType))
    # With the kernels of the fold, arithmetic means the same here as there.
    words: dict[str, Any] = {**vars(kernels), "Reason": Reason, "new": tuple.__new__}
    for number, action in enumerate(actions):
        words[f"at_stage_{number}"] = tuple(_stage_reason(action, stage) for stage in Stage)
        words[f"rest_{number}"] = _rest(action)
        words[f"worth_{number}"] = _worth(action)
    judge: Judge = FunctionType(code, words)
    return judge


def judge_text(actions: Sequence[Action]) -> str:
    """The source of the function that `compile_judge` compiles."""
    columns = sorted(set[str]().union(*(action.columns() for action in actions)))
    names = {name: f"column_{name}" for name in columns}
    lines = ["def judge(row, stage, recent, now):", "    judgements = []"]
    lines += [f"    {names[name]} = {_lookup(name)}" for name in columns]
    rules: dict[str, int] = {}
    for number, action in enumerate(actions):
        for condition in action.conditions:
            lines += _rule_lines(condition, names, rules)
        lines += _action_lines(
            number, action, names, [rules[_holds(condition, names)] for condition in action.conditions]
        )
    return "\n".join([*lines, "    return judgements"])


def _holds(condition: Expr, names: Mapping[str, str]) -> str:
    """Python source that tests whether a condition holds; a number holds when it is known and not zero."""
    code = condition.code(names)
    return f"({code} == 1.0)" if is_condition(condition) else f"(either({code}, 0.0) == 1.0)"


def _lookup(name: str) -> str:
    return f"row[{name!r}]" if name in Journey.features else f"row.get({name!r}, NAN)"


def _rule_lines(condition: Expr, names: Mapping[str, str], rules: dict[str, int]) -> list[str]:
    """Source lines that test a condition and keep the reason; none if an earlier action has the same condition."""
    code = _holds(condition, names)
    if code in rules:
        return []
    number = rules[code] = len(rules)
    text = str(condition)
    columns = ", ".join(f"{name!r}: {names[name]}" for name in sorted(condition.columns(), key=text.index))
    return [
        f"    rule_{number} = {code}",
        f"    reason_{number} = new(Reason, ('condition', {text!r}, rule_{number}, {{{columns}}}))",
    ]


def _action_lines(number: int, action: Action, names: Mapping[str, str], rules: Sequence[int]) -> list[str]:
    """Source lines that append the judgement of one action."""
    passed = ["at_stage[2]", *(f"rule_{rule}" for rule in rules)]
    reasons = ["at_stage", *(f"reason_{rule}" for rule in rules)]
    lines = [f"    at_stage = at_stage_{number}[stage]"]
    if action.every:
        lines.append(f"    rested = rest_{number}(recent.get({action.name!r}), now)")
        passed.append("rested[2]")
        reasons.append("rested")
    lines.append(f"    score = {action.value.code(names)} - {action.cost!r}")
    lines.append("    if score == score:")
    lines.append(f"        judgements.append(({' and '.join(passed)}, score, ({', '.join(reasons)},)))")
    lines.append("    else:")
    lines.append(f"        judgements.append((False, score, ({', '.join(reasons)}, worth_{number}(row))))")
    return lines


def _stage_reason(action: Action, stage: Stage) -> Reason:
    names = " or ".join(stage.name.lower() for stage in action.stages)
    expected = "any" if action.stages == tuple(Stage) else names
    return Reason("stage", f"stage is {expected}", stage in action.stages, {"stage": stage.name.lower()})


def _rest(action: Action) -> Callable[[int | None, int], Reason]:
    """A function that tests whether enough time has passed since the action was last chosen."""
    rule = f"at most once in {duration_text(action.every)}"
    never = Reason("frequency", rule, True, {"hours_since": math.nan, "hours_left": 0.0})
    every = action.every

    def rest(last: int | None, now: int) -> Reason:
        if last is None:
            return never
        since = now - last
        left = max(0, every - since)
        return Reason("frequency", rule, left == 0, {"hours_since": since / HOUR, "hours_left": left / HOUR})

    return rest


def _worth(action: Action) -> Callable[[Row], Reason]:
    """A function that gives the reason of an unknown value: the columns it needs and their values."""
    needed = sorted(action.value.columns())

    def worth(row: Row) -> Reason:
        return Reason("value", "its value is known", False, {name: row.get(name, math.nan) for name in needed})

    return worth
