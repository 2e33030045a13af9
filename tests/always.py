"""The law that a shop always has answers; what should answer is recomputed in plain Python from the recorded gates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from features.events import DAY
from features.journey import JOURNEY
from features.log import open_log
from features.sources import import_file
from models.bundle.bundle import Bundle
from models.bundle.loaded import Champions
from models.prediction.amount import AMOUNT_TIERS
from models.prediction.next_stage import STAGE_TIERS
from models.prediction.tiers import TIERS
from serving.engine.customer import target_scores
from serving.engine.engine import Engine
from serving.engine.state import open_states
from tests.odd_shops import Plan, write_lines
from training.run import pipeline
from training.run.pipeline import train
from training.run.result import TrainingResult
from training.targets import targets
from training.tracking import Recorded

FLOOR = "base_rate"
BY_FORM = {
    form: [FLOOR, *tiers] for form, tiers in (("probability", TIERS), ("amount", AMOUNT_TIERS), ("stage", STAGE_TIERS))
}


@contextmanager
def unrecorded() -> Iterator[None]:
    """Trainings that draw no pictures and record nothing: what is recorded decides nothing."""
    nowhere = Recorded("nowhere", "none", "0", "none")
    with mock.patch.object(pipeline, "run_of"), mock.patch.object(pipeline, "record", lambda run: nowhere):
        yield


@dataclass(frozen=True)
class Asked:
    """One training of a generated shop: its result, and the folder of the champion."""

    result: TrainingResult
    before: Bundle | None


def trainings(plan: Plan, folder: Path, *, again: bool = True) -> Iterator[Asked]:
    """Import two thirds of the shop, train, train `again`, import the rest, train; each with what answered before."""
    store, champion = f"sqlite:///{folder}/waypost.db", folder / "champion"
    events = plan.events()
    first = 2 * len(events) // 3
    for part, times in ((events[:first], 1 + again), (events[first:], 1)):
        log = open_log(store, create=True)
        try:
            if part:
                import_file(log, write_lines(folder / "events.jsonl", part), "waypost", received=plan.end)
            for _ in range(times):
                before = loaded(champion)
                started = plan.end + DAY
                yield Asked(train(log, started=started, folder=champion, seed=plan.seed), before)
        finally:
            log.close()


def loaded(champion: Path) -> Bundle | None:
    """The bundle that servers read; None where there is none."""
    if not champion.exists():
        return None
    return Bundle.load(champion, JOURNEY.fingerprint, JOURNEY.names)


def faults(asked: Asked, folder: Path, now: int) -> list[str]:
    """What is wrong after a training; nothing where the law holds."""
    result, found = asked.result, []
    bundle = loaded(folder / "champion")
    if bundle is None or bundle.version != result.bundle.version:
        return ["the bundle that was trained is not the champion"]
    if set(bundle.models) != set(targets()):
        found.append(f"no answer to {sorted(set(targets()) - set(bundle.models))}")
    gates = result.to_json()["gates"]
    for name, card in bundle.manifest.targets.items():
        own = [gate for gate in gates if gate["subject"] == name]
        wanted = expected(own, BY_FORM[card.form], asked.before.manifest.targets[name].tier if asked.before else "")
        if wanted and card.tier not in wanted:
            found.append(f"{name} is answered by {card.tier}, expected {' or '.join(wanted)}")
        if set(card.held_back) != (lost := {gate["tier"] for gate in judged_alone(own) if holds(gate)}):
            found.append(f"{name} says that {set(card.held_back)} were held back, the gates say {lost}")
        found += [f"{name} is answered by a base rate worse than itself: {gate}" for gate in worse_than_itself(own)]
    tier = bundle.manifest.recommender_tier
    judged = [gate for gate in gates if gate["subject"] == "recommender"]
    if tier not in recommender(judged, bundle):
        found.append(f"recommendations come from {tier}, expected {recommender(judged, bundle)}")
    return found + list(unanswered(bundle, folder, now))


def holds(gate: Mapping[str, Any]) -> bool:
    """Whether a recorded gate holds back."""
    value, threshold = gate["value"], gate["threshold"]
    if value is None or math.isnan(value):
        return bool(gate["holds"])
    return bool(gate["holds"]) and not (value <= threshold if gate["at_most"] else value > threshold)


def expected(gates: Sequence[Mapping[str, Any]], tiers: list[str], before: str) -> list[str]:
    """The tiers that may answer by these gates: the highest that passed, the champion's where it is better; of what
    was not judged, any. Under the base rate of the latest period, the answer is of the tier `prior`."""
    own = judged_alone(gates)
    if not own:
        return []
    judged = {gate["tier"] for gate in own}
    passing = [tier for tier in judged if not any(holds(gate) for gate in own if gate["tier"] == tier)]
    highest = max(passing, key=tiers.index, default="").replace(FLOOR, "prior")
    worse = any(holds(gate) for gate in gates if "champion" in gate["condition"])
    return [highest, before] if worse else [highest]


def judged_alone(gates: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The gates that do not compare with the champion."""
    return [gate for gate in gates if "champion" not in gate["condition"]]


def worse_than_itself(gates: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The gates by which the base rate, where it answers, is significantly further from the truth."""
    floor = [gate for gate in gates if gate["tier"] == FLOOR and "lower end" in gate["condition"] and gate["at_most"]]
    return [gate for gate in floor if gate["value"] > gate["threshold"]]


def recommender(gates: Sequence[Mapping[str, Any]], bundle: Bundle) -> str:
    """What recommendations should come from, by these gates."""
    if not bundle.recommender.items:
        return "nothing"
    return "popularity" if any(map(holds, gates)) else "neighbours"


def unanswered(bundle: Bundle, folder: Path, now: int) -> Iterator[str]:
    """What a server leaves unanswered for a customer it knows and for one that it does not."""
    champions = Champions(folder / "champion", JOURNEY)
    champions.refresh()
    if champions.problem:
        yield champions.problem
        return
    engine = Engine(open_states(f"sqlite:///{folder}/waypost.db", JOURNEY, busy_seconds=1.0), JOURNEY, champions)
    try:
        engine.states.heal()
        for who in ("c0", "nobody"):
            scores = engine.score(who, now)
            for name, value in scores.probabilities.items():
                if not 0.0 <= value <= 1.0:
                    yield f"the probability of {name} for {who} is {value}"
            if not scores.known and set(scores.probabilities) != set(bundle.scorers):
                yield f"{who} has no base rate of {set(bundle.scorers) - set(scores.probabilities)}"
            said = target_scores(scores)
            yield from (f"{name} of {who} is not finite" for name in scores.estimates if not _finite(said[name]))
            items = engine.recommend(who, 5, now)
            if not items.items and (bundle.recommender.items or not items.why):
                yield f"no recommendation for {who}, and no reason"
    finally:
        engine.states.close()


def _finite(fields: object) -> bool:
    if isinstance(fields, dict):
        return all(map(_finite, fields.values()))
    return not isinstance(fields, float) or math.isfinite(fields)
