"""Studies: a search for better settings of boosted trees, within a budget of minutes.

Trials are judged on folds that are split by time: trees of the rows before a cutoff, and their log loss on the rows
from a horizon later on. Only the rows of `fit` and `stop` are used, never those of calibration and test. A trial that
is worse than the median after a fold is pruned. Trials are kept in `mlruns/studies.db`: a study of the same rows
continues where it stopped, one of new rows begins with the best settings so far.

The best settings of a target are written to `studies/TARGET.json` beside the champion, where the next training reads
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from features.fold.fold import Fold
from features.journey import JOURNEY
from features.log.contract import EventLog
from training.fitting.calibration import PATIENCE, ROUNDS, constraints, settings
from training.fitting.tiers import train_set
from training.fitting.tuned import SPACE, TunedSettings, read_study, write_study
from training.rows.dataset import Dataset, Slice, gathered, joined
from training.rows.schedule import NotEnoughHistory, Schedule, purged
from training.rows.shop import read_shop
from training.rows.slices import digest_of
from training.targets import chosen
from training.tracking import Trial, Trials

STORAGE = Path("mlruns") / "studies.db"

EDGES = (0.55, 0.7, 0.85, 1.0)
"""The shares of the rows, oldest first, at which the folds are cut."""

Binned = tuple[lightgbm.Dataset, lightgbm.Dataset]

Progress = Callable[[str, int, int], None]
"""Called with the current step, the number of targets done, and the number of all targets."""


def study_targets(
    log: EventLog, names: Sequence[str], *, minutes: float, started: int, now: int | None = None, seed: int = 0,
    folder: Path, fold: Fold = JOURNEY, schedule: Schedule | None = None, progress: Progress | None = None,
) -> list[TunedSettings]:  # fmt: skip
    """Study the targets of these names (when none is named, all that answer with a probability) for `minutes` in all.

    The arguments are those of `training.run.pipeline.train`. A target with too little history for folds is left out,
    unless it is named: then `NotEnoughHistory` is raised.
    """
    targets = [target for target in chosen(tuple(names)) if target.form == "probability"]
    shop = read_shop(log, now, started, fold)
    results: list[TunedSettings] = []
    for number, target in enumerate(targets):

        def tell(step: str, done: int = number) -> None:
            if progress is not None:
                progress(step, done, len(targets))

        tell(f"gathering {target.name}")
        known = gathered(target, fold, shop.past, shop.start, shop.end, seed=seed, schedule=schedule)
        minutes_per_target = minutes / len(targets)
        try:
            results.append(
                study(known.dataset, minutes=minutes_per_target, seed=seed, at=started, folder=folder, tell=tell)
            )
        except NotEnoughHistory:
            if target.name in names:
                raise
    return results


def study(
    data: Dataset,
    *,
    minutes: float,
    seed: int,
    at: int,
    folder: Path,
    storage: Path = STORAGE,
    tell: Callable[[str], None] | None = None,
) -> TunedSettings:
    """Search for better settings, for so many minutes after the first trial, and write the best beside `folder`.

    `at` is the time of the runs in MLflow, microseconds UTC. The same rows, seed and number of trials give the same
    settings. Raises `NotEnoughHistory` when the rows make no folds.
    """
    folds = [_binned(earlier, later, data.names) for earlier, later in folds_of(data)]
    known = joined([data.fit, data.stop])
    digest, usual = digest_of(known), settings(len(known), seed)
    fixed = usual | constraints(data.target, data.names)
    before = read_study(folder, data.target.name)
    opened = _opened(storage, f"{data.target.name} {digest} {seed}", seed)
    if not opened.get_trials(states=(TrialState.COMPLETE,)):
        opened.enqueue_trial(_usual(usual))
        if before is not None:
            opened.enqueue_trial(dict(before.parameters), skip_if_exists=True)
    with Trials.of(data.target.name, f"study, seed {seed}", at) as trials:

        def ended(study: optuna.Study, trial: FrozenTrial) -> None:
            trials.write(_trial_of(trial))
            if tell is not None:
                tell(f"trial {trial.number + 1} of {data.target.name}, log loss {study.best_value:.4f}")

        def judged(trial: optuna.Trial) -> float:
            return _judged(trial, folds, fixed)

        opened.optimize(judged, n_trials=1, callbacks=[ended])
        opened.optimize(judged, timeout=60.0 * minutes, callbacks=[ended])
        result = _concluded(opened, data.target.name, seed, digest, _usual(usual))
        losses = {"log_loss": result.log_loss, "usual_log_loss": result.usual_log_loss, "trials": float(result.trials)}
        trials.conclude(result.parameters, losses, {"rows": digest, "study": "true"})
    write_study(folder, result)
    return result


def folds_of(data: Dataset) -> list[tuple[Slice, Slice]]:
    """Pairs of earlier rows for training and later rows for judging, oldest first; no horizon of the earlier reaches
    into the later."""
    rows = joined([data.fit, data.stop])
    edges = np.quantile(rows.cutoff, EDGES, method="nearest")
    folds = []
    for start, end in pairwise(edges.tolist()):
        later = rows.where((rows.cutoff > start) & (rows.cutoff <= end))
        earlier = rows.where(purged(rows.cutoff, later.cutoff, data.target.horizon))
        if _both(earlier) and _both(later):
            folds.append((earlier, later))
    if not folds:
        raise NotEnoughHistory(
            f"The {len(rows)} rows of {data.target.name} before its calibration make no fold whose earlier and later "
            "rows have both yes and no. Import more history with `waypost import`."
        )
    return folds


def _opened(storage: Path, name: str, seed: int) -> optuna.Study:
    """The study of this name, new or continued."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    opened = optuna.create_study(storage=f"sqlite:///{storage}", study_name=name, pruner=pruner, load_if_exists=True)
    # Continuing with the same seed would draw the same trials again.
    opened.sampler = optuna.samplers.TPESampler(seed=seed + len(opened.trials))
    return opened


def _binned(earlier: Slice, later: Slice, names: Sequence[str]) -> Binned:
    """A fold as LightGBM datasets, binned once, for leaves of any size."""
    learnt = train_set(earlier, names)
    heard = train_set(later, names, reference=learnt)
    learnt.params = heard.params = {"feature_pre_filter": False, "verbosity": -1}
    return learnt.construct(), heard.construct()


def _judged(trial: optuna.Trial, folds: Sequence[Binned], fixed: Mapping[str, object]) -> float:
    """The mean log loss over the folds. Raises `TrialPruned` when it is worse than the median after one of them."""
    parameters = {**fixed, **{name: _drawn(trial, name, *ends) for name, ends in SPACE.items()}}
    losses: list[float] = []
    for number, (earlier, later) in enumerate(folds):
        heard: dict[str, dict[str, list[float]]] = {}
        stopping, hearing = lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(heard)
        callbacks: list[Callable[..., Any]] = [stopping, hearing]
        lightgbm.train(parameters, earlier, ROUNDS, valid_sets=[later], valid_names=["later"], callbacks=callbacks)
        losses.append(min(heard["later"]["binary_logloss"]))
        trial.set_user_attr("losses", losses)
        trial.report(float(np.mean(losses)), number)
        if trial.should_prune():
            raise optuna.TrialPruned
    return float(np.mean(losses))


def _drawn(trial: optuna.Trial, name: str, low: float, high: float) -> float:
    """A setting of a trial; an integer where both ends are integers."""
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=True)
    return trial.suggest_float(name, low, high, log=True)


def _trial_of(trial: FrozenTrial) -> Trial:
    losses = tuple(trial.user_attrs["losses"])
    return Trial(trial.number, trial.params, losses, pruned=trial.state == TrialState.PRUNED)


def _concluded(opened: optuna.Study, target: str, seed: int, digest: str, usual: Mapping[str, Any]) -> TunedSettings:
    """The best of the completed trials; one of them has the usual settings."""
    complete = opened.get_trials(states=(TrialState.COMPLETE,))
    losses = {trial.number: float(np.mean(trial.user_attrs["losses"])) for trial in complete}
    compared = next(losses[trial.number] for trial in complete if trial.params == usual)
    pruned = len(opened.get_trials(states=(TrialState.PRUNED,)))
    best = opened.best_trial
    return TunedSettings(
        target, dict(best.params), losses[best.number], compared, len(complete) + pruned, pruned, seed, digest
    )


def _usual(parameters: Mapping[str, object]) -> dict[str, Any]:
    """The usual values of the settings that are tried."""
    return {name: parameters[name] for name in SPACE}


def _both(rows: Slice) -> bool:
    """Whether there are both rows with yes and rows with no."""
    return 0 < int(rows.labels.sum()) < len(rows)
