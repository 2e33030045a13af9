"""What a training run made, put together: the bundle for the server, and the record for MLflow."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from features.fold import Fold
from features.profiles import Past
from models.bundle import Bundle, BundleError, Manifest, StaleBundle
from models.governance import stand_in
from models.policy import Policy
from models.recommender import Recommender
from models.stages import StageScorer
from training.monitoring import reference_of
from training.ranking import RankingEvaluation
from training.recommenders import Taste
from training.targets import targets
from training.trained import Trained, flat, moment


@dataclass(frozen=True, eq=False)
class Shop:
    """What a run looks at: the log from `start` to `end`, ready to be replayed; `items` are names by code.

    `digest` stands for exactly these events and merges, and `offset` is no later than the last of the events.
    """

    fold: Fold
    past: Past
    items: list[str]
    start: int
    end: int
    offset: int
    digest: str


@dataclass(frozen=True, eq=False)
class TrainedRecommender:
    """The recommender, how it was fitted (None when there was nothing to fit), and its test, if there was one."""

    recommender: Recommender
    taste: Taste | None
    ranking: RankingEvaluation | None


def bundle_of(
    shop: Shop, trained: Mapping[str, Trained], recommended: TrainedRecommender, champion: Bundle | None,
    *, seed: int, started: int,
) -> Bundle:  # fmt: skip
    """The bundle: the models just trained, and those of the champion for targets left alone this time."""
    asked = targets()
    kept = [] if champion is None else [name for name in champion.models if name in asked and name not in trained]
    models = {name: champion.models[name] for name in kept if champion is not None}
    cards = {name: champion.manifest.targets[name] for name in kept if champion is not None}
    models |= {name: each.model for name, each in trained.items()}
    cards |= {name: each.card for name, each in trained.items()}
    manifest = Manifest(
        fingerprint=shop.fold.fingerprint,
        features=shop.fold.names,
        targets=cards,
        created=moment(started),
        now=shop.end,
        log_offset=shop.offset,
        git_commit=git_commit(),
        seed=seed,
        recommender=flat(ranking.figures["recommender"]) if (ranking := recommended.ranking) is not None else {},
        policy=Policy().parameters,
    )
    judged = {name: each for name, each in models.items() if not isinstance(each, StageScorer)}
    reference = reference_of(shop.fold, shop.past, shop.end, asked, judged, seed)
    return Bundle(models, recommended.recommender, manifest, reference)


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
    """The commit of the code that runs; empty where the code does not stand in a git repository."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
