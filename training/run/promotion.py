"""The selection of the model that answers a target: the best that passes its gates, or the champion's if it is better.

    the best tier -> the best of those below -> ... -> the base rate of the latest period, which nothing holds back

The gates of all tiers compare with the base rate, so that no tier is replaced by something worse than itself. They
judge on the rows of the test, and the figures of a card are those of the chosen model on these rows; `held_back` lists
the tiers that failed.

The models of the targets are selected independently of each other.
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
    """The `model` that answers a target from now on, with its `card`, and all `gates` judged for the selection.

    `result` is the target's result in the run. The model is the champion's where the card says why it goes on.
    """

    result: AnyResult
    gates: tuple[Gate, ...]
    model: Model
    card: TargetCard


def select(question: Question, champion: Bundle | None, *, until: int = 0, yields: bool = False) -> Selected:
    """The best tier that no gate holds back, or the champion's of the same question where it is significantly better.

    A champion's model that was tested also goes on where a new one cannot be tested yet. A champion's model that is
    held back on today's rows does not go on; with `yields` it is only compared with the new one. It is not compared if
    it was trained on events after `until`, the end of the log, or on answers of this test, because it would have seen
    the test. It is compared at the level known when the test began, as the new one is, and goes on at today's level.
    """
    form, rival, asked = FORMS[question.target.form], rival_of(question.target, champion), None
    if rival is not None and champion is not None and form.new_to(question.gathered, champion.manifest.now, until):
        asked = form.as_of_test(rival, question.gathered)
    result, lost = _first_that_passes(question, asked)
    gates, new = (*lost, *result.gates), replace(result.card, seen=_seen(question.gathered))
    if rival is None or champion is None:
        return _answered(result.described_further(question), gates, result.model, new)
    before = champion.manifest.targets[question.target.name]
    if not result.gates and before.metrics and not yields:
        why = f"The previous model was tested, and a new one cannot be tested yet. {result.missing}"
        return _answered(result, gates, rival, replace(before, goes_on=why))
    compared = result.gates_beside(asked) if asked is not None else []
    if (worse := held_back(compared)) and not yields:
        again = form.judge(question, form.adopted(form.as_of_end(rival, question.gathered), result.fitted, asked), None)
        if passed(again.gates):
            why = f"The previous model is better than the new {result.model.tier.name}: {worse[0].sentence}."
            card = replace(again.card, goes_on=why, seen=before.seen, losses=before.losses)
            return _answered(again, gates, again.model, card, compared)
    return _answered(result.described_further(question), gates, result.model, new, compared)


def _answered(
    result: AnyResult, gates: Sequence[Gate], model: Model, card: TargetCard, compared: Sequence[Gate] = ()
) -> Selected:
    """The selection. Its card lists the tiers that the `gates` of this run held back, and none of an earlier run; the
    gates of the comparison with the champion (`compared`) hold no tier back."""
    reasons = {gate.tier: gate.sentence for gate in reversed(held_back(gates))}
    return Selected(result, (*gates, *compared), model, replace(card, held_back=reasons))


def untrained(target: Target, shop: Shop) -> Selected:
    """The answer to a target that was never trained: the prior."""
    features = np.empty((0, len(shop.fold.names)), np.float32)
    rows = Slice(features, np.empty(0, FORMS[target.form].answers), np.empty(0, np.int32), np.empty(0, np.int64))
    why = f"It was not trained yet; `waypost train {target.name}` does that."
    counts = Counts(0, 0, 0, (shop.end - shop.start) / DAY)
    return select(Question(Gathered(target, shop.fold.names, rows, None, why, counts, shop.end), 0), None)


def rival_of(target: Target, champion: Bundle | None) -> Model | None:
    """The champion's model of exactly the same question; None where there is none."""
    card = None if champion is None else champion.manifest.targets.get(target.name)
    if champion is None or card is None:
        return None
    same = (card.form, card.definition, card.scope) == (target.form, target.definition, target.scope_text)
    return champion.models[target.name] if same else None


def _first_that_passes(question: Question, rival: Model | None) -> tuple[AnyResult, list[Gate]]:
    """The best tier that is not held back, the best of all first, and the gates of those that were held back.

    Where every tier is held back, it is the base rate with which they were compared.
    """
    form, lost = FORMS[question.target.form], list[Gate]()
    tiers = form.tiers
    losses: Mapping[str, float] = {}
    while tiers:
        fitted = form.fit(question, tiers)
        losses = {**fitted.losses, **losses}
        result = form.judge(question, replace(fitted, losses=losses), rival)
        if passed(result.gates):
            return result, lost
        lost += result.gates
        tiers = tiers[: tiers.index(result.model.tier.name)]
    return form.judge(question, replace(form.floor(question), losses=losses), rival, LOWEST), lost


def _seen(gathered: Gathered) -> dict[str, dict[str, float]]:
    """The number of customers in the training rows for each stage and channel, by feature and name of its value."""
    rows = FORMS[gathered.target.form].learnt_from(gathered)
    counted: dict[str, dict[str, float]] = {}
    for feature, values in KINDS.items():
        if feature in gathered.names:
            column = rows.features[:, gathered.names.index(feature)]
            counted[feature] = {
                value.name.lower(): float(len(np.unique(rows.customer[column == float(value)]))) for value in values
            }
    return counted
