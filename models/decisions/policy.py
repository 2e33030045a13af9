"""The policy: which actions are eligible for a customer, how likely each is chosen, and the draw.

A decision tests stage, channel, conditions (the contact policy among them) and the frequency cap, then compares
values. Comparisons with NaN are false, so an unknown feature never makes an action eligible, unless the condition is
a negation (`~(days_since_survey < 90)` holds for a customer who was never surveyed).

Among the n eligible actions, with scores s in currency, the propensities are

    p_i = floor + (1 - n * floor) * exp(s_i / temperature) / sum_j exp(s_j / temperature)

that is a softmax (Boltzmann) policy mixed with uniform exploration (Sutton and Barto, Reinforcement Learning,
2nd ed., sections 2.2 and 2.8): every eligible action keeps a probability of at least `floor`, so that logged
decisions can be used to evaluate another policy. The draw depends on the seed alone.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate

from features.events import Channel, Stage
from features.grammar import UnknownColumn
from models.decisions.actions import ACTIONS, Action
from models.decisions.decision import Considered, Decision, Reason, decision_event, reward_event
from models.decisions.eligibility import Judge, Judgement, Row, compile_judge

__all__ = ["Considered", "Decision", "Policy", "Reason", "decision_event", "propensities", "reward_event", "uniform"]


@dataclass(frozen=True)
class Policy:
    """How actions are chosen: the parameters, and the catalogue they apply to.

    `temperature` is in currency: actions whose scores differ by much less are chosen nearly equally often. `floor`
    is the least probability of an eligible action. Raises ValueError for parameters outside their range, and for a
    catalogue that may leave a customer without any eligible action.
    """

    temperature: float = 0.25
    floor: float = 0.01
    actions: tuple[Action, ...] = ACTIONS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature is {self.temperature}; expected an amount of currency above 0")
        if not 0 < self.floor * len(self.actions) < 1:
            raise ValueError(
                f"floor is {self.floor}; expected above 0 and below 1/{len(self.actions)}, "
                f"since {len(self.actions)} actions may be eligible at once"
            )
        names = [action.name for action in self.actions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the catalogue has two actions named {', '.join(twice)}; names must differ")
        if not any(action.unconditional for action in self.actions):
            raise ValueError("no action is always eligible; add one without conditions for all stages, as DO_NOTHING")

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters of this policy, for the manifest of a bundle: `Policy(**parameters)` restores it."""
        return {"temperature": self.temperature, "floor": self.floor}

    @cached_property
    def columns(self) -> frozenset[str]:
        """Names of the features and targets that decisions read."""
        return frozenset({"stage"}).union(*(action.columns() for action in self.actions))

    @cached_property
    def targets(self) -> frozenset[str]:
        """Names of the targets among them."""
        return frozenset[str]().union(*(action.targets for action in self.actions))

    def decide(
        self,
        row: Row,
        recent_actions: Mapping[str, int],
        now: int,
        seed: str,
        channels: Collection[Channel] | None = None,
    ) -> Decision:
        """Choose an action for the customer described by `row`.

        `row` maps names of features and of `targets` to Python floats; targets may be missing, features may not
        (raises `UnknownColumn`). `recent_actions` maps names of actions to the times when they were last chosen,
        microseconds UTC. `seed` becomes the decision's id: the same seed and the same row give the same decision.
        `channels` are those that the caller can use (None: all); an action without a channel needs none of them.
        """
        stage = self._stage_of(row)
        judged = self._judge(row, stage, recent_actions, now, channels)
        eligible = [number for number, judgement in enumerate(judged) if judgement[0]]
        scores = [judged[number][1] for number in eligible]
        chances = propensities(scores, self.temperature, self.floor)
        drawn = _draw(chances, uniform(seed))
        chosen = self.actions[eligible[drawn]]
        by_number = dict(zip(eligible, chances, strict=True))
        return Decision(
            decision_id=seed,
            action=chosen.name,
            channel=chosen.channel,
            stage=stage,
            mode="exploit" if scores[drawn] == max(scores) else "explore",
            probability=chances[drawn],
            propensities={self.actions[number].name: chance for number, chance in by_number.items()},
            needs_content=chosen.needs_content,
            considered=tuple(
                _considered((name, channel, possible, reasons, score, by_number.get(number, 0.0)))
                for number, ((name, channel), (possible, score, reasons)) in enumerate(
                    zip(self._labels, judged, strict=True)
                )
            ),
        )

    def _judge(
        self, row: Row, stage: Stage, recent: Mapping[str, int], now: int, channels: Collection[Channel] | None
    ) -> list[Judgement]:
        try:
            judged = self._compiled(row, stage, recent, now)
        except KeyError as error:
            raise UnknownColumn(
                f"the row has no feature {error}; deciding needs {', '.join(sorted(self.columns))}"
            ) from error
        if channels is None:
            return judged
        return [
            _reached(judgement, channel, channels) if channel else judgement
            for judgement, (_, channel) in zip(judged, self._labels, strict=True)
        ]

    def _stage_of(self, row: Row) -> Stage:
        try:
            return Stage(int(row["stage"]))
        except KeyError as error:
            raise UnknownColumn("the row has no feature 'stage'; pass the features as the fold reads them") from error
        except ValueError as error:
            raise ValueError(f"stage is {row['stage']}; expected 0 to {len(Stage) - 1}") from error

    @cached_property
    def _compiled(self) -> Judge:
        return compile_judge(self.actions)

    @cached_property
    def _labels(self) -> tuple[tuple[str, Channel], ...]:
        return tuple((action.name, action.channel) for action in self.actions)


def propensities(scores: Sequence[float], temperature: float, floor: float) -> list[float]:
    """The probability of each eligible action; they sum to 1 and none is below `floor`. See the module."""
    best = max(scores)
    weights = [math.exp((score - best) / temperature) for score in scores]
    scale = (1.0 - floor * len(scores)) / sum(weights)
    return [floor + scale * weight for weight in weights]


def uniform(seed: str) -> float:
    """A number in [0, 1) that depends on `seed` alone: the first 53 bits of its BLAKE2b hash."""
    digest = blake2b(seed.encode(), digest_size=8, person=b"waypost decision").digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def _draw(chances: Sequence[float], point: float) -> int:
    """The index of the chance whose part of [0, 1) holds `point`, the parts being laid end to end."""
    last = len(chances) - 1  # in floating point the shares may sum to a little less than 1
    return min(bisect_right(list(accumulate(chances)), point), last)


def _considered(fields: tuple[str, Channel, bool, tuple[Reason, ...], float, float]) -> Considered:
    return tuple.__new__(Considered, fields)  # half the time of calling the class, twenty times a decision


def _reached(judgement: Judgement, channel: Channel, channels: Collection[Channel]) -> Judgement:
    """The judgement of an action, with the reason whether the caller can use its channel."""
    possible, score, reasons = judgement
    reached = channel in channels
    reason = Reason("channel", "its channel can be used now", reached, {"channel": channel.name.lower()})
    return possible and reached, score, (*reasons, reason)
