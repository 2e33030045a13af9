"""One training run, top to bottom: from the log to a bundle, judged, recorded and, if it earned it, promoted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from features.fold import Fold
from features.journey import JOURNEY
from features.log.contract import EventLog, Training
from features.profiles import known_at, read_past, replay_profiles
from models.recommender import Neighbours, Recommender
from training.baselines import baselines
from training.dataset import NotEnoughHistory, Schedule, content_digest, dataset, end_of, sample, split, willing
from training.evaluation import evaluate
from training.gates import passed, recommender_gates, scorer_gates
from training.packing import Shop, TrainedRecommender, bundle_of, run_of
from training.ranking import best_taste, evaluate_recommender
from training.recommenders import NoPurchases, fit_recommender
from training.result import RECOMMENDER, TrainedTarget, TrainingResult
from training.scorers import fit_scorer
from training.targets import Target, chosen
from training.tracking import record

Progress = Callable[[str, int, int], None]
"""Told what begins now, and how many steps are done of how many in all."""

CHAMPION = Path("data") / "champion"


def train(
    log: EventLog, names: Sequence[str] = (), *, started: int, now: int | None = None, seed: int = 0,
    folder: Path = CHAMPION, fold: Fold = JOURNEY, schedule: Schedule | None = None, progress: Progress | None = None,
) -> TrainingResult:  # fmt: skip
    """Train the targets of these names (all when none is named) and the recommender, as if it were `now`.

    `started` is the time by the clock: it is written into the records and changes nothing else. `now` is by default the
    end of the log. The same log, `now` and seed give the same figures to the digit. A bundle that passes every gate is
    written to `folder`, any other beside it, to `challenger`. Raises `UnknownTarget`, and `NotEnoughHistory` when a
    target that was named, or every target, cannot be trained; one that was not named is skipped with the reason.
    """
    targets = chosen(tuple(names))
    tell = _counted(progress, len(targets) + 4)
    tell("reading the log")
    shop = _read(log, now, fold)
    trained: dict[str, TrainedTarget] = {}
    skipped: dict[str, str] = {}
    for target in targets:
        tell(f"training {target.name}")
        try:
            trained[target.name] = _train_target(target, shop, seed, schedule or Schedule())
        except NotEnoughHistory as reason:
            if names or len(skipped) == len(targets) - 1:
                raise
            skipped[target.name] = str(reason)
    tell("training the recommender")
    recommended = _train_recommender(shop, seed, skipped)
    ranking = recommended.ranking
    gates = [gate for name, each in trained.items() for gate in scorer_gates(name, each.evaluation)]
    gates += recommender_gates(ranking) if ranking is not None else []
    bundle = bundle_of(shop, trained, recommended, folder, seed=seed, started=started)
    place = folder if passed(gates) else folder.with_name("challenger")
    # Before there is a bundle to be served: an erasure names every model that has seen the customer.
    log.trained(Training(bundle.version, shop.end, started))
    tell("recording in MLflow")
    # On disk first: the registry never names a champion that cannot be served.
    bundle.save(place)
    recorded = record(run_of(shop, trained, recommended, bundle, gates, started=started))
    tell("")
    return TrainingResult(bundle, trained, ranking, gates, skipped, recorded, place)


def _counted(progress: Progress | None, steps: int) -> Callable[[str], None]:
    """Tells `progress` of each step; the last call, when all is done, says nothing new begins."""
    done = -1

    def tell(step: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(step, done, steps - 1)

    return tell


def _read(log: EventLog, now: int | None, fold: Fold) -> Shop:
    """The log up to `now`, without whoever has withdrawn the consent to be profiled by then.

    The offset is asked for before the events, so that it is that of none that came since; where `now` leaves events out
    it is their number, which is no later than the last of them.
    """
    offset = log.offset()
    past = read_past(log, now)
    end, number = end_of(past), past.count
    start = min(int(events["received"].min()) for events in past.parts if len(events))
    items = log.items.names()
    last = offset if number >= log.count() else min(offset, number)
    past = willing(fold, past, end)
    return Shop(fold, past, items, start, end, last, content_digest(past, log.customers.names(), items))


def _train_target(target: Target, shop: Shop, seed: int, schedule: Schedule) -> TrainedTarget:
    """Replay, label, split by time, fit, and evaluate beside the baselines."""
    cutoffs = split(target, shop.start, shop.end, schedule)
    customers = sample(shop.past, len(cutoffs.cutoffs), seed)
    snapshots = replay_profiles(shop.fold, customers, cutoffs.cutoffs.tolist())
    data = dataset(target, customers, snapshots, cutoffs, shop.end)
    fitted = fit_scorer(data, seed)
    predictions = {"model": fitted.scorer.score_many(data.test.features), **baselines(data)}
    return TrainedTarget(data, fitted, evaluate(predictions, data.test.labels, data.test.customer, seed), predictions)


def _train_recommender(shop: Shop, seed: int, skipped: dict[str, str]) -> TrainedRecommender:
    """Tuned two weeks ago, judged a week ago, then fitted anew on everything: new products are in the catalogue."""
    try:
        taste = best_taste(shop.fold, shop.past, shop.items, shop.end, seed)
        ranking = evaluate_recommender(shop.fold, shop.past, shop.items, shop.end, seed, taste)
        if ranking is None:
            skipped[RECOMMENDER] = "Nobody bought an item in the last week of the log: there is nothing to judge it by."
        known = known_at(shop.past, shop.end)
        return TrainedRecommender(fit_recommender(known, shop.items, shop.end, taste), taste, ranking)
    except NoPurchases as reason:
        skipped[RECOMMENDER] = str(reason)
        nothing = Neighbours(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        return TrainedRecommender(Recommender([], nothing, np.empty(0, np.float32)), None, None)
