"""Which model answers a target: the best that no gate holds back, or the champion's where that is better.

    the best tier -> the best of those below -> ... -> the base rate of the latest period, which nothing holds back

The base rate is what the gates of all tiers compare with, so that no tier is replaced by what is worse than it. They
judge on the rows of the test, whose figures are those of what was chosen: what a card says was held back says so.

A target is chosen for by itself: what another target's model is worth says nothing of this one's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.events import DAY
from models.bundle.bundle import Bundle, Model, TargetCard
from models.bundle.manifest import KINDS
from training.evaluation.gates import LOWEST, Gate, held_back, passed
from training.rows.dataset import Counts, Gathered, Slice
from training.rows.shop import Shop
from training.run.forms.catalogue import FORMS
from training.run.forms.contract import AnyResult, Question
from training.targets import Target


@dataclass(frozen=True, eq=False)
class Selected:
    """What answers a target from now on: `model`, with its `card`, and all `gates` that were judged on the way.

    `trained` is what the run made of the target. The model is the champion's where the card says why it goes on.
    """

    trained: AnyResult
    gates: tuple[Gate, ...]
    model: Model
    card: TargetCard


def select(question: Question, champion: Bundle | None, *, until: int = 0, yields: bool = False) -> Selected:
    """The best tier that no gate holds back, or the champion's model of the same question where it is surely better.

    A champion's model that was tested goes on, too, where a new one cannot be tested yet. A champion's model that is
    held back on the rows of today does not go on, nor does one that `yields`: it is compared with the new one alone.
    One that has seen events after `until`, the end of the log, is not compared: it would be asked about its own past.
    Nor is one that has learnt from answers of this test. It is compared at the level that was known when the test
    began, as the new one is, and goes on at that of today.
    """
    form, rival, asked = FORMS[question.target.form], rival_of(question.target, champion), None
    if rival is not None and champion is not None and form.new_to(question.found, champion.manifest.now, until):
        asked = form.as_of_test(rival, question.found)
    trained, lost = _first_that_passes(question, asked)
    gates, new = (*lost, *trained.gates), replace(trained.card, seen=_seen(question.found))
    if rival is None or champion is None:
        return _answered(trained.described_further(question), gates, trained.model, new)
    before = champion.manifest.targets[question.target.name]
    if not trained.gates and before.metrics and not yields:
        why = f"The model before was tested, and a new one cannot be yet. {trained.missing}"
        return _answered(trained, gates, rival, replace(before, goes_on=why))
    compared = trained.gates_beside(asked) if asked is not None else []
    if (worse := held_back(compared)) and not yields:
        again = form.judge(question, form.adopted(form.as_of_end(rival, question.found), trained.fitted, asked), None)
        if passed(again.gates):
            why = f"The model before is better than the new {trained.model.tier.name}: {worse[0].sentence}."
            card = replace(again.card, goes_on=why, seen=before.seen, losses=before.losses)
            return _answered(again, gates, again.model, card, compared)
    return _answered(trained.described_further(question), gates, trained.model, new, compared)


def _answered(
    trained: AnyResult, gates: Sequence[Gate], model: Model, card: TargetCard, compared: Sequence[Gate] = ()
) -> Selected:
    """What answers. Its card says what the `gates` of this run held back, and nothing of those of a run before; what
    was `compared` with the champion holds no tier back."""
    reasons = {gate.tier: gate.sentence for gate in reversed(held_back(gates))}
    return Selected(trained, (*gates, *compared), model, replace(card, held_back=reasons))


def untrained(target: Target, shop: Shop) -> Selected:
    """The answer to a target that was never trained: what is believed without data."""
    features = np.empty((0, len(shop.fold.names)), np.float32)
    rows = Slice(features, np.empty(0, FORMS[target.form].answers), np.empty(0, np.int32), np.empty(0, np.int64))
    why = f"It was not trained yet; `waypost train {target.name}` does that."
    counts = Counts(0, 0, 0, (shop.end - shop.start) / DAY)
    return select(Question(Gathered(target, shop.fold.names, rows, None, why, counts, shop.end), 0), None)


def rival_of(target: Target, champion: Bundle | None) -> Model | None:
    """The champion's model of the very same question; None where there is none."""
    card = None if champion is None else champion.manifest.targets.get(target.name)
    if champion is None or card is None:
        return None
    same = (card.form, card.definition, card.scope) == (target.form, target.definition, target.scope_text)
    return champion.models[target.name] if same else None


def _first_that_passes(question: Question, rival: Model | None) -> tuple[AnyResult, list[Gate]]:
    """The best tier; where it is held back the best of those below; and the gates of those that were held back.

    Where every tier is held back, it is the base rate that they were held back by.
    """
    form, lost = FORMS[question.target.form], list[Gate]()
    tiers = form.tiers
    losses: Mapping[str, float] = {}
    while tiers:
        fitted = form.fit(question, tiers)
        losses = {**fitted.losses, **losses}
        trained = form.judge(question, replace(fitted, losses=losses), rival)
        if passed(trained.gates):
            return trained, lost
        lost += trained.gates
        tiers = tiers[: tiers.index(trained.model.tier.name)]
    return form.judge(question, replace(form.floor(question), losses=losses), rival, LOWEST), lost


def _seen(found: Gathered) -> dict[str, dict[str, float]]:
    """How many customers of each stage and channel the rows learnt from hold, by feature and name of its value."""
    rows = FORMS[found.target.form].learnt_from(found)
    counted: dict[str, dict[str, float]] = {}
    for feature, values in KINDS.items():
        if feature in found.names:
            column = rows.features[:, found.names.index(feature)]
            counted[feature] = {
                value.name.lower(): float(len(np.unique(rows.customer[column == float(value)]))) for value in values
            }
    return counted
