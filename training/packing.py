"""What a training run made, put together: the bundle for the server, and the record for MLflow."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.fold import Fold
from features.profiles import Past
from models.bundle import Bundle, BundleError, Manifest
from models.policy import Policy
from models.recommender import Recommender
from models.rungs import Trees
from models.stages import StageScorer
from training.figures import pictures
from training.gates import Gate, passed
from training.monitoring import reference_of
from training.ranking import RankingEvaluation
from training.recommenders import Taste
from training.result import metrics_of
from training.targets import targets
from training.tracking import Run
from training.trained import Trained, TrainedTarget, flat, moment


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
    kept = [] if champion is None else [name for name in champion.models if name not in trained]
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
    reference = reference_of(shop.fold, shop.past, shop.end, targets(), judged, seed)
    return Bundle(models, recommended.recommender, manifest, reference)


def champion_of(fold: Fold, folder: Path) -> Bundle | None:
    """The champion in `folder`; None when there is none of this fold."""
    try:
        return Bundle.load(folder, fold.fingerprint, fold.names)
    except BundleError:
        return None


def run_of(
    shop: Shop, trained: Mapping[str, TrainedTarget], recommended: TrainedRecommender, bundle: Bundle,
    gates: Sequence[Gate], example: NDArray[np.float32], *, started: int,
) -> Run:  # fmt: skip
    """The record: parameters, figures, pictures, and `example`, a few rows of features, as the example of an input."""
    manifest = bundle.manifest
    tags = {
        "bundle": bundle.version,
        "fingerprint": manifest.fingerprint,
        "log_digest": shop.digest,
        "log_offset": str(shop.offset),
        "mlflow.source.git.commit": manifest.git_commit,
        "promoted": str(passed(gates)).lower(),
    }
    files: dict[str, bytes] = {"features.json": json.dumps(list(shop.fold.names), indent=1).encode()}
    for name, each in trained.items():
        drawn = pictures(name, each.predictions, each.test.labels, each.fitted.importance)
        files |= {f"plots/{file}": content for file, content in drawn.items()}
        files[f"importance/{name}.json"] = json.dumps(each.fitted.importance, indent=1).encode()
    return Run(
        name=f"{moment(shop.end)[:10]} seed {manifest.seed}",
        parameters=_parameters(shop, trained, recommended.taste, manifest),
        metrics=metrics_of(trained, recommended.ranking),
        tags=tags,
        log_digest=shop.digest,
        files=files,
        example=example,
        bundle=bundle,
        targets=tuple(name for name, each in trained.items() if isinstance(each.model.rung, Trees)),
        gates=[{**asdict(gate), "passed": gate.passed} for gate in gates],
        champion=passed(gates),
        at=started,
    )


def _parameters(
    shop: Shop, trained: Mapping[str, TrainedTarget], taste: Taste | None, manifest: Manifest
) -> dict[str, object]:
    """The settings and circumstances of the run by name; `mlflow run` has `targets`, `now` and `seed` in it already."""
    parameters: dict[str, object] = {
        "seed": manifest.seed,
        "as_of": moment(shop.end),
        "fingerprint": manifest.fingerprint,
        "log_offset": shop.offset,
        "log_digest": shop.digest,
        "git_commit": manifest.git_commit,
        "customers": len(shop.past.customers),
        "events": shop.past.count,
        "features": len(shop.fold.names),
    }
    if taste is not None:
        parameters |= {f"recommender.{name}": value for name, value in asdict(taste).items()}
    for name, each in trained.items():
        parameters |= {f"lightgbm.{key}": value for key, value in each.fitted.parameters.items()}
        newest = each.test.cutoff.max()
        parameters |= {
            f"{name}.scope": each.target.scope_text,
            f"{name}.trees": each.fitted.rounds,
            f"{name}.calibration": each.fitted.scorer.calibration.kind,
            f"{name}.newest_cutoff": moment(int(newest)),
        }
    return parameters


def git_commit() -> str:
    """The commit of the code that runs; empty where the code does not stand in a git repository."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
