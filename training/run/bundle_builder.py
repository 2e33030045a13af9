"""Building the bundle of a training run, from the models selected and the champion's other models."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from features.fold.fold import Fold
from features.times import iso
from models.bundle.bundle import Bundle, BundleError, Manifest, StaleBundle
from models.bundle.governance import stand_in
from models.decisions.policy import Policy
from models.prediction.next_stage import StageScorer
from training.monitoring import reference_of
from training.recommenders.selection import FittedRecommender
from training.rows.shop import Shop
from training.run.figures import flat
from training.run.promotion import Selected, rival_of, untrained
from training.targets import targets


def bundle_of(
    shop: Shop, selected: Mapping[str, Selected], recommended: FittedRecommender, champion: Bundle | None,
    *, seed: int, started: int,
) -> Bundle:  # fmt: skip
    """The bundle: the models selected for the targets of this run, and the champion's models for the others.

    A target that has neither is answered by its prior, so that every target has an answer.
    """
    asked = targets()
    models = {name: selection.model for name, selection in selected.items()}
    cards = {name: selection.card for name, selection in selected.items()}
    for name, target in asked.items():
        if name in selected:
            continue
        model = rival_of(target, champion)
        if champion is not None and model is not None:
            models[name], cards[name] = model, champion.manifest.targets[name]
        else:
            believed = untrained(target, shop)
            models[name], cards[name] = believed.model, believed.card
    order = [name for name in asked if name in models]
    manifest = Manifest(
        fingerprint=shop.fold.fingerprint,
        features=shop.fold.names,
        targets={name: cards[name] for name in order},
        created=iso(started),
        now=shop.end,
        log_offset=shop.offset,
        git_commit=git_commit(),
        seed=seed,
        recommender=_figures(recommended),
        recommender_tier=recommended.tier,
        recommender_why=recommended.why,
        policy=Policy().parameters,
    )
    models = {name: models[name] for name in order}
    judged = {name: model for name, model in models.items() if not isinstance(model, StageScorer)}
    reference = reference_of(shop.fold, shop.past, shop.end, asked, judged, seed)
    return Bundle(models, [recommended.recommender, reference], manifest)


def _figures(recommended: FittedRecommender) -> dict[str, float]:
    """The metrics of the recommender that answers."""
    if recommended.ranking is None:
        return {}
    return flat(recommended.ranking.figures["popularity" if recommended.tier == "popularity" else "recommender"])


def champion_of(fold: Fold, folder: Path) -> Bundle | None:
    """The champion in `folder`, or its archived copy where it is damaged; None when there is none of this fold."""
    try:
        return Bundle.load(folder, fold.fingerprint, fold.names)
    except StaleBundle:
        return None
    except BundleError:
        with suppress(BundleError):
            return stand_in(folder, fold)
        return None


def git_commit() -> str:
    """The commit of the running code; empty where the code is not in a git repository."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
