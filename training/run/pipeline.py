"""One training run, top to bottom: from the log to a bundle, selected, recorded and promoted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from features.fold.fold import Fold
from features.journey import JOURNEY
from features.log.contract import EventLog, Training
from models.bundle.bundle import BundleError, read_manifest
from models.bundle.governance import Governance
from models.bundle.promotion_log import Cause
from models.bundle.readiness import served
from training.fitting.candidates import Candidate
from training.fitting.tuned import read_study
from training.recommenders.selection import train_recommender
from training.rows.dataset import Gathered, gathered
from training.rows.schedule import Schedule
from training.rows.shop import Shop, read_shop
from training.run.bundle_builder import bundle_of, champion_of
from training.run.forms.contract import Question
from training.run.mlflow_run import run_of
from training.run.promotion import Selected, select
from training.run.result import TrainingResult
from training.targets import Target, chosen
from training.tracking import record

Cluster = Callable[[Target, int, Schedule | None], tuple[Gathered, Candidate] | None]
"""Gathers a target's rows and fits its trees on several machines; None where the rows cannot be split by time."""

Progress = Callable[[str, int, int], None]
"""Called with the step that begins, the number of steps done, and the number of all steps."""

PLACE = Path("data") / "champion"
ASKED = Cause("train", "asked for")
AT_ONCE = 2
"""The number of targets trained at the same time; each keeps its own rows in memory."""


def train(
    log: EventLog, names: Sequence[str] = (), *, started: int, now: int | None = None, seed: int = 0,
    folder: Path = PLACE, fold: Fold = JOURNEY, schedule: Schedule | None = None, progress: Progress | None = None,
    challenger: bool = False, cause: Cause = ASKED, clock: Callable[[], int] | None = None,
    cluster: Cluster | None = None, pictures: bool = True,
) -> TrainingResult:  # fmt: skip
    """Train the targets of these names (all when none is named) and the recommender, as of `now`.

    `started` is the time by the clock: it is written into the records, and is the `now` of an empty log. `now` is by
    default the end of the log. The same log, `now` and seed give the same figures to the digit.

    The best model of a target that passes its gates answers (`training.run.promotion`), so that the bundle always
    answers every target. It is written to `folder` as the champion, or, as a `challenger`, beside it, however good the
    champion is; where there is no champion yet, a challenger becomes the champion. The bundle is archived, and its move
    is logged with the `cause` and the time by `clock` (`started` without a clock). With a `cluster`, trees of
    probabilities are grown there. Without `pictures` no plots are drawn, which saves seconds. Raises `UnknownTarget`.
    """
    targets = chosen(tuple(names))
    tell = _counted(progress, len(targets) + 4)
    tell("reading the log")
    shop = read_shop(log, now, started, fold)
    champion = champion_of(fold, folder)

    def train_target(target: Target) -> Selected:
        question = _gathered(target, shop, seed, schedule, folder, cluster)
        return select(question, champion, until=shop.end, yields=challenger)

    fold.compile()
    # LightGBM and the replay release the interpreter's lock, and targets are independent of each other.
    with ThreadPoolExecutor(1 if cluster else AT_ONCE) as pool:
        recommending = pool.submit(train_recommender, shop, seed)
        fitted = pool.map(train_target, targets)
        selected = {target.name: _next_selected(tell, target, fitted) for target in targets}
        tell("training the recommender")
        recommended = recommending.result()
    gates = [gate for selection in selected.values() for gate in selection.gates] + list(recommended.gates)
    bundle = bundle_of(shop, selected, recommended, champion, seed=seed, started=started)
    # Before the bundle can be served: an erasure lists every model that was trained on the customer's events.
    log.add_training(Training(bundle.version, shop.end, started))
    tell("recording in MLflow")
    # On disk before the registry, so that the registry never names a champion that cannot be served.
    promoted = not challenger or _no_champion(folder)
    governance = Governance(folder, fold, clock or (lambda: started))
    place = governance.install(bundle, champion=promoted, cause=cause, targets=served(bundle.manifest))
    new = {name: selection.result for name, selection in selected.items() if not selection.card.goes_on}
    run = run_of(shop, new, recommended, bundle, gates, promoted=promoted, started=started, pictures=pictures)
    recorded = record(run)
    tell("")
    return TrainingResult(bundle, selected, recommended, gates, promoted, recorded, place)


def _next_selected(tell: Callable[[str], None], target: Target, fitted: Iterator[Selected]) -> Selected:
    tell(f"training {target.name}")
    return next(fitted)


def _counted(progress: Progress | None, steps: int) -> Callable[[str], None]:
    """A function that calls `progress` with each step; the last call, with an empty step, says that all is done."""
    done = -1

    def tell(step: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(step, done, steps - 1)

    return tell


def _gathered(
    target: Target, shop: Shop, seed: int, schedule: Schedule | None, folder: Path, cluster: Cluster | None
) -> Question:
    """A target with its rows, and with the settings of trees from a study beside `folder`, if there was one."""
    probability = target.form == "probability"
    grown = cluster(target, seed, schedule) if cluster and probability else None
    rows, trees = grown or (
        gathered(target, shop.fold, shop.past, shop.start, shop.end, seed=seed, schedule=schedule),
        None,
    )
    study = read_study(folder, target.name) if probability else None
    return Question(rows, seed, study.parameters if study else {}, trees)


def _no_champion(folder: Path) -> bool:
    """Whether there is no bundle, of whatever fold, where the server reads the champion."""
    try:
        read_manifest(folder)
    except BundleError:
        return True
    return False
