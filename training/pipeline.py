"""One training run, top to bottom: from the log to a bundle, judged, recorded and, if it earned it, promoted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from features.fold import Fold
from features.journey import JOURNEY
from features.log.contract import EventLog, Training
from features.profiles import known_at, read_past
from models.bundle import Bundle
from models.governance import Governance
from models.promotions import Cause
from models.recommender import Neighbours, Recommender
from training.amounts import fit_amount, judge_amount
from training.baselines import baselines
from training.curves import drifts, learning_curve
from training.dataset import Gathered, content_digest, gathered, willing
from training.evaluation import evaluate
from training.gates import (
    CHAMPION,
    Gate,
    amount_gates,
    champion_gates,
    passed,
    recommender_gates,
    scorer_gates,
    worse_by_stage,
)
from training.ladder import climb
from training.moments import Schedule
from training.next_stages import fit_stage, judge_stage
from training.packing import Shop, TrainedRecommender, bundle_of, champion_of
from training.ranking import best_taste, evaluate_recommender
from training.recommenders import NoPurchases, fit_recommender
from training.records import run_of
from training.result import RECOMMENDER, TrainingResult
from training.slices import described
from training.spreads import coverage
from training.studied import read_study
from training.targets import Target, chosen
from training.tracking import record
from training.trained import AmountTarget, StageTarget, Trained, TrainedTarget, UntestedTarget, parted
from training.ways import Way

Cluster = Callable[[Target, int, Schedule | None], tuple[Gathered, Way] | None]
"""Gathers a target's rows and decides how its trees are grown, on more machines; None where it cannot be parted."""

Progress = Callable[[str, int, int], None]
"""Told what begins now, and how many steps are done of how many in all."""

PLACE = Path("data") / "champion"
ASKED = Cause("train", "asked for")
AT_ONCE = 2
"""Targets that are trained at the same time; each holds its own rows in memory."""


def train(
    log: EventLog, names: Sequence[str] = (), *, started: int, now: int | None = None, seed: int = 0,
    folder: Path = PLACE, fold: Fold = JOURNEY, schedule: Schedule | None = None, progress: Progress | None = None,
    challenger: bool = False, cause: Cause = ASKED, clock: Callable[[], int] | None = None,
    cluster: Cluster | None = None,
) -> TrainingResult:  # fmt: skip
    """Train the targets of these names (all when none is named) and the recommender, as if it were `now`.

    `started` is the time by the clock: it is written into the records, and is the `now` of an empty log. `now` is by
    default the end of the log. The same log, `now` and seed give the same figures to the digit. Every target has an
    answer, on the rung of the ladder that its rows allow. A bundle that no gate holds back is written to `folder`, any
    other beside it, to `challenger`, and so is every one that is to be no more than a `challenger`. Either is archived,
    and its move is a line of the promotion log, with the `cause` and the time by `clock` (`started`, where there is
    none). With a `cluster`, the trees of what it can answer are grown there. Raises `UnknownTarget`.
    """
    targets = chosen(tuple(names))
    tell = _counted(progress, len(targets) + 4)
    tell("reading the log")
    shop = read_shop(log, now, started, fold)
    champion = champion_of(fold, folder)
    # A champion that has seen later events than this run would be asked about its own past.
    rival = champion if champion is not None and champion.manifest.now <= shop.end else None
    fold.compile()
    # LightGBM and the replay leave the interpreter to others, and targets know nothing of each other.
    with ThreadPoolExecutor(1 if cluster else AT_ONCE) as pool:
        recommending = pool.submit(_train_recommender, shop, seed)
        fitted = pool.map(lambda target: _train_target(target, shop, seed, schedule, rival, folder, cluster), targets)
        trained = {target.name: _told(tell, target, fitted) for target in targets}
        tell("training the recommender")
        recommended, unjudged = recommending.result()
    gates = _gates(trained, recommended, champion)
    kept = _kept(trained, champion)
    skipped = {name: missing for name, each in trained.items() if (missing := _missing(each))}
    skipped |= {name: f"{skipped[name]} The champion's model goes on." for name in kept} | unjudged
    replacing = {name: each for name, each in trained.items() if name not in kept}
    bundle = bundle_of(shop, replacing, recommended, champion, seed=seed, started=started)
    # Before there is a bundle to be served: an erasure names every model that has seen the customer.
    log.trained(Training(bundle.version, shop.end, started))
    tell("recording in MLflow")
    # On disk first: the registry never names a champion that cannot be served.
    promoted = passed(gates) and not challenger
    governance = Governance(folder, fold, clock or (lambda: started))
    figures = [{**asdict(gate), "passed": gate.passed} for gate in gates]
    place = governance.install(bundle, champion=promoted, cause=cause, gates=figures)
    recorded = record(run_of(shop, replacing, recommended, bundle, gates, promoted=promoted, started=started))
    tell("")
    ranking = recommended.ranking
    return TrainingResult(bundle, *parted(trained), ranking, gates, promoted, skipped, recorded, place)


def _told(tell: Callable[[str], None], target: Target, fitted: Iterator[Trained]) -> Trained:
    tell(f"training {target.name}")
    return next(fitted)


def _counted(progress: Progress | None, steps: int) -> Callable[[str], None]:
    """Tells `progress` of each step; the last call, when all is done, says nothing new begins."""
    done = -1

    def tell(step: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(step, done, steps - 1)

    return tell


def read_shop(log: EventLog, now: int | None, started: int, fold: Fold) -> Shop:
    """The log up to `now`, without whoever has withdrawn the consent to be profiled by then.

    The offset is asked for before the events, so that it is that of none that came since; where `now` leaves events out
    it is their number, which is no later than the last of them.
    """
    offset = log.offset()
    past = read_past(log, now)
    number, items = past.count, log.items.names()
    received = [events["received"] for events in past.parts if len(events)]
    start = min((int(each.min()) for each in received), default=started if now is None else now)
    end = max((int(each.max()) for each in received), default=start)
    last = offset if number >= log.count() else min(offset, number)
    past = willing(fold, past, end)
    return Shop(fold, past, items, start, end, last, content_digest(past, log.customers.names(), items))


def _train_target(
    target: Target, shop: Shop, seed: int, schedule: Schedule | None, champion: Bundle | None, folder: Path,
    cluster: Cluster | None,
) -> Trained:  # fmt: skip
    """Gather its rows, climb the ladder, and evaluate beside the baselines and the champion, where there is a test.

    The trees have the settings that a study left beside `folder`, if there was one.
    """
    grown = cluster(target, seed, schedule) if cluster and target.form == "probability" else None
    found, trees = grown or (
        gathered(target, shop.fold, shop.past, shop.start, shop.end, seed=seed, schedule=schedule),
        None,
    )
    if target.form != "probability":
        return _train_other(found, seed, champion)
    study = read_study(folder, target.name)
    fitted = climb(found, seed, studied=study.parameters if study else {}, trees=trees)
    if found.split is None:
        return UntestedTarget(target, found.counts, fitted, found.missing)
    data = found.dataset
    test, scorer = data.test, fitted.scorer
    predictions = {"model": scorer.score_many(test.features), **baselines(data)}
    if champion is not None and target.name in champion.scorers:
        predictions[CHAMPION] = champion.scorers[target.name].score_many(test.features)
    evaluation = evaluate(predictions, test.labels, test.customer, seed)
    covered = coverage(predictions["model"], test.labels, scorer.spread, seed)
    return TrainedTarget(
        target, found.counts, data.names, described(data), fitted, test, evaluation, predictions, covered,
        scorer_gates(target.name, evaluation), learning_curve(data, fitted, seed),
        drifts(data, fitted, predictions["model"]),
    )  # fmt: skip


def _train_other(found: Gathered, seed: int, champion: Bundle | None) -> AmountTarget | StageTarget:
    """The same for an answer that is an amount or a stage."""
    parted, target, counts = found.split is not None, found.target, found.counts
    slices = described(found.dataset) if parted else {}
    if target.form == "amount":
        amount = fit_amount(found, seed)
        known = champion.amounts.get(target.name) if champion else None
        rival = known.rung if known else None
        errors = judge_amount(amount.scorer.rung, found.dataset, seed, rival) if parted else None
        return AmountTarget(target, counts, amount, found.missing, errors, slices)
    stage = fit_stage(found, seed)
    figures = judge_stage(stage.scorer.rung, found.dataset) if parted else None
    return StageTarget(target, counts, stage, found.missing, figures, slices)


def _gates(trained: Mapping[str, Trained], recommended: TrainedRecommender, champion: Bundle | None) -> list[Gate]:
    """The gates of every target, beside the baselines and beside the champion, and those of the recommender."""
    gates: list[Gate] = []
    for name, each in trained.items():
        if isinstance(each, AmountTarget) and each.test is not None:
            gates += amount_gates(name, each.test.over)
        if not isinstance(each, TrainedTarget):
            continue
        gates += each.gates
        if champion is not None and CHAMPION in each.predictions:
            test, said = each.test, each.predictions
            stage = test.features[:, each.names.index("stage")]
            stages = worse_by_stage(said["model"], said[CHAMPION], test.labels, test.customer, stage)
            gates += champion_gates(name, each.evaluation, each.model.rung, champion.scorers[name].rung, stages)
    return gates + (recommender_gates(recommended.ranking) if recommended.ranking is not None else [])


def _missing(trained: Trained) -> str:
    """What kept a target from being tested; empty where it was."""
    return "" if isinstance(trained, TrainedTarget) else trained.missing


def _kept(trained: Mapping[str, Trained], champion: Bundle | None) -> set[str]:
    """The targets that had no test this time, of which the champion has a model that had one: it goes on answering."""
    cards = champion.manifest.targets if champion is not None else {}
    return {name for name, each in trained.items() if _missing(each) and name in cards and cards[name].metrics}


def _train_recommender(shop: Shop, seed: int) -> tuple[TrainedRecommender, dict[str, str]]:
    """Tuned two weeks ago, judged a week ago, then fitted anew on everything: new products are in the catalogue.

    And, under its name, why it could not be judged or fitted, if it could not.
    """
    skipped: dict[str, str] = {}
    try:
        taste = best_taste(shop.fold, shop.past, shop.items, shop.end, seed)
        ranking = evaluate_recommender(shop.fold, shop.past, shop.items, shop.end, seed, taste)
        if ranking is None:
            skipped[RECOMMENDER] = "Nobody bought an item in the last week of the log: there is nothing to judge it by."
        known = known_at(shop.past, shop.end)
        return TrainedRecommender(fit_recommender(known, shop.items, shop.end, taste), taste, ranking), skipped
    except NoPurchases as reason:
        skipped[RECOMMENDER] = str(reason)
        nothing = Neighbours(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        return TrainedRecommender(Recommender([], nothing, np.empty(0, np.float32)), None, None), skipped
