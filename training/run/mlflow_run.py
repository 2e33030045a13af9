"""What a training run tells of itself: parameters, figures, pictures and model cards, for MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from models.bundle.bundle import Bundle, TargetCard
from models.bundle.manifest import KINDS, Manifest
from training.evaluation.curves import partial_dependence
from training.evaluation.evaluation import Evaluation, Figure
from training.evaluation.gates import Gate
from training.recommenders.evaluation import RankingEvaluation
from training.recommenders.selection import TrainedRecommender
from training.rows.shop import Shop
from training.run.cards import Findings, model_card, summary
from training.run.plots import calibration_picture, drift_picture, importance_picture, learning_picture, lift_picture
from training.run.target_result import AmountTarget, Trained, TrainedTarget, UntestedTarget, flat, moment
from training.tracking import Run, TargetRun

EXAMPLES = 5
SHOWN = ("roc_auc", "pr_auc", "log_loss", "calibration_error", "mae", "accuracy")
"""The figures of a target that are shown in the run as a whole; the rest stands in the target's own."""


def run_of(
    shop: Shop, trained: Mapping[str, Trained], recommended: TrainedRecommender, bundle: Bundle,
    gates: Sequence[Gate], *, promoted: bool, started: int,
) -> Run:  # fmt: skip
    """The record of a run, and under it that of each target."""
    manifest = bundle.manifest
    tags = {
        "bundle": bundle.version,
        "fingerprint": manifest.fingerprint,
        "log_digest": shop.digest,
        "log_offset": str(shop.offset),
        "mlflow.source.git.commit": manifest.git_commit,
        "promoted": str(promoted).lower(),
    }
    example = _example(trained, shop)
    return Run(
        name=f"{moment(shop.end)[:10]} seed {manifest.seed}",
        parameters=_parameters(shop, recommended, manifest),
        metrics=_whole(bundle.manifest.targets, recommended.ranking),
        tags=tags,
        log_digest=shop.digest,
        files={
            "features.json": _json(list(shop.fold.names)),
            "gates.json": _json([{**asdict(gate), "passed": gate.passed} for gate in gates]),
        },
        example=example,
        bundle=bundle,
        targets={name: _target_run(each, bundle, tags, example) for name, each in trained.items()},
        champion=promoted,
        at=started,
    )


def _target_run(each: Trained, bundle: Bundle, tags: Mapping[str, str], example: NDArray[np.float32]) -> TargetRun:
    """The record of one target."""
    name, manifest = each.target.name, bundle.manifest
    card = manifest.targets[name]
    tested, files = None, {}
    if isinstance(each, TrainedTarget):
        tested = Findings(each.evaluation.figures, {part: rows.rows for part, rows in each.slices.items()})
        files = _pictures(each, manifest.seed) | {"importance.json": _json(dict(each.fitted.importance))}
        example = np.ascontiguousarray(each.test.features[:EXAMPLES])
    elif isinstance(each, AmountTarget) and each.test is not None:
        tested = Findings(each.test.figures)
    parameters = {"seed": manifest.seed, "rung": card.rung, "calibration": card.calibration, "scope": card.scope}
    return TargetRun(
        doc=card.doc,
        summary=summary(card),
        parameters={**parameters, "trees": each.fitted.rounds, **each.fitted.parameters},
        metrics=_metrics(each, card),
        tags={**tags, "evidence": card.evidence, "form": card.form, "missing": card.missing},
        slices={} if isinstance(each, UntestedTarget) else each.slices,
        files=files | {"card.md": model_card(name, card, manifest, tested).encode()},
        example=example,
    )


def _parts(each: TrainedTarget) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The rows of the test by stage and by channel, where there are such features."""
    found: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for feature, values in KINDS.items():
        if feature in each.names:
            column = each.test.features[:, each.names.index(feature)]
            found[feature] = {value.name.lower(): column == float(value) for value in values}
    return found


def _pictures(each: TrainedTarget, seed: int) -> dict[str, bytes]:
    """The pictures of a tested target by file name."""
    name, test, importance = each.target.name, each.test, each.fitted.importance
    drawn = {
        "calibration": calibration_picture(name, each.predictions, test.labels, _parts(each)),
        "lift": lift_picture(name, each.predictions, test.labels),
        "drift": drift_picture(name, each.drifts),
    }
    if any(importance.values()):
        dependences = partial_dependence(each.model, test.features, importance, seed)
        drawn["importance"] = importance_picture(name, importance, dependences)
    if each.curve is not None:
        drawn["learning_curve"] = learning_picture(name, each.curve)
    return {f"plots/{kind}.png": content for kind, content in drawn.items()}


def _example(trained: Mapping[str, Trained], shop: Shop) -> NDArray[np.float32]:
    """A few rows of features; one of which nothing is known where no target has a test."""
    rows = (each.test.features for each in trained.values() if isinstance(each, TrainedTarget))
    return np.ascontiguousarray(next(rows, np.full((1, len(shop.fold.names)), np.nan, np.float32))[:EXAMPLES])


def _parameters(shop: Shop, recommended: TrainedRecommender, manifest: Manifest) -> dict[str, object]:
    """The circumstances of the run by name; `mlflow run` has `targets`, `now` and `seed` in it already."""
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
    if recommended.taste is not None:
        parameters |= {f"recommender.{name}": value for name, value in asdict(recommended.taste).items()}
    return parameters


def _whole(cards: Mapping[str, TargetCard], ranking: RankingEvaluation | None) -> dict[str, float]:
    """The figures of the run as a whole: those of the recommender, and a few of each target."""
    metrics = {
        f"{name}/{key}": value
        for name, card in cards.items()
        for key, value in card.metrics.items()
        if key.removesuffix("_low").removesuffix("_high") in SHOWN
    }
    if ranking is not None:
        told = flat({"ratio_to_popularity": ranking.ratio}) | _beside(ranking)
        metrics |= {f"recommender/{name}": value for name, value in told.items()}
    return metrics


def _metrics(each: Trained, card: TargetCard) -> dict[str, float]:
    """Every figure of a target by name, such as `rfm_logistic/roc_auc_low`, the model's own without its name."""
    metrics = {"base_rate": card.base_rate, "trees": float(each.fitted.rounds), **card.metrics}
    metrics |= {f"held_out/{rung}": loss for rung, loss in card.losses.items()}
    metrics |= {f"counts/{what}": float(number) for what, number in card.counts.items()}
    if card.coverage is not None:
        metrics["coverage"] = card.coverage
    if isinstance(each, TrainedTarget):
        metrics |= _beside(each.evaluation)
        for cutoff, by_model in list(each.at_each_cutoff().items())[-1:]:
            metrics |= {f"newest_cutoff/{metric}": value for metric, value in by_model["model"].items()}
            metrics["newest_cutoff/at"] = cutoff / 1e6
    elif isinstance(each, AmountTarget) and each.test is not None:
        metrics |= _compared(each.test.figures, each.test.over)
    return metrics


def _beside(test: Evaluation | RankingEvaluation) -> dict[str, float]:
    return _compared(test.figures, test.over)


def _compared(
    figures: Mapping[str, Mapping[str, Figure]], over: Mapping[str, Mapping[str, Figure]]
) -> dict[str, float]:
    """The figures of the first model by name, of the others after their model, and how far it is from each of them."""
    own, *_ = figures
    metrics: dict[str, float] = {}
    for model, found in figures.items():
        metrics |= {name if model == own else f"{model}/{name}": value for name, value in flat(found).items()}
    for baseline, found in over.items():
        metrics |= {f"over_{baseline}/{name}": value for name, value in flat(found).items()}
    return metrics


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()
