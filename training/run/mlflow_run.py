"""The record of a training run for MLflow: parameters, metrics, plots and model cards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from features.times import iso
from models.bundle.bundle import Bundle, TargetCard
from models.bundle.manifest import Manifest
from training.evaluation.gates import Gate
from training.recommenders.evaluation import RankingEvaluation
from training.recommenders.selection import FittedRecommender
from training.rows.shop import Shop
from training.run.cards import model_card, summary
from training.run.figures import compared, flat
from training.run.forms.contract import AnyResult
from training.tracking import Run, TargetRun

SHOWN = ("roc_auc", "pr_auc", "log_loss", "calibration_error", "mae", "accuracy")
"""The metrics of a target that are in the whole run, too; all metrics are in the target's own run."""


def run_of(
    shop: Shop, results: Mapping[str, AnyResult], recommended: FittedRecommender, bundle: Bundle,
    gates: Sequence[Gate], *, promoted: bool, started: int, pictures: bool = True,
) -> Run:  # fmt: skip
    """The record of a run, with those of its targets, with or without plots."""
    manifest = bundle.manifest
    tags = {
        "bundle": bundle.version,
        "fingerprint": manifest.fingerprint,
        "log_digest": shop.digest,
        "log_offset": str(shop.offset),
        "mlflow.source.git.commit": manifest.git_commit,
        "promoted": str(promoted).lower(),
    }
    example = _example(results, shop)
    return Run(
        name=f"{iso(shop.end)[:10]} seed {manifest.seed}",
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
        targets={name: _target_run(result, bundle, tags, example, pictures) for name, result in results.items()},
        champion=promoted,
        at=started,
    )


def _target_run(
    result: AnyResult, bundle: Bundle, tags: Mapping[str, str], example: NDArray[np.float32], pictures: bool
) -> TargetRun:
    """The record of one target."""
    name, manifest = result.target.name, bundle.manifest
    card = manifest.targets[name]
    parameters = {"seed": manifest.seed, "tier": card.tier, "calibration": card.calibration, "scope": card.scope}
    return TargetRun(
        doc=card.doc,
        summary=summary(card),
        parameters={**parameters, "trees": result.fitted.rounds, **result.fitted.parameters},
        metrics=_metrics(result, card),
        tags={**tags, "evidence": card.evidence, "form": card.form, "missing": card.missing},
        slices=result.slices,
        files={
            **(result.pictures(manifest.seed) if pictures else {}),
            **result.files(),
            "card.md": model_card(name, card, manifest, result.findings).encode(),
        },
        example=example if result.examples is None else result.examples,
    )


def _example(results: Mapping[str, AnyResult], shop: Shop) -> NDArray[np.float32]:
    """A few rows of features; a row of NaN where no target has a test."""
    examples = (result.examples for result in results.values())
    return next((rows for rows in examples if rows is not None), np.full((1, len(shop.fold.names)), np.nan, np.float32))


def _parameters(shop: Shop, recommended: FittedRecommender, manifest: Manifest) -> dict[str, object]:
    """The parameters of the run by name; `mlflow run` records `targets`, `now` and `seed` itself."""
    parameters: dict[str, object] = {
        "seed": manifest.seed,
        "as_of": iso(shop.end),
        "fingerprint": manifest.fingerprint,
        "log_offset": shop.offset,
        "log_digest": shop.digest,
        "git_commit": manifest.git_commit,
        "customers": len(shop.past.customers),
        "events": shop.past.count,
        "features": len(shop.fold.names),
    }
    if recommended.settings is not None:
        parameters |= {f"recommender.{name}": value for name, value in asdict(recommended.settings).items()}
    return parameters


def _whole(cards: Mapping[str, TargetCard], ranking: RankingEvaluation | None) -> dict[str, float]:
    """The metrics of the whole run: those of the recommender, and a few of each target."""
    metrics = {
        f"{name}/{key}": value
        for name, card in cards.items()
        for key, value in card.metrics.items()
        if key.removesuffix("_low").removesuffix("_high") in SHOWN
    }
    if ranking is not None:
        figures = flat({"ratio_to_popularity": ranking.ratio}) | compared(ranking.figures, ranking.over)
        metrics |= {f"recommender/{name}": value for name, value in figures.items()}
    return metrics


def _metrics(result: AnyResult, card: TargetCard) -> dict[str, float]:
    """Every metric of a target by name, such as `rfm_logistic/roc_auc_low`; the tested model's name is left out."""
    metrics = {"base_rate": card.base_rate, "trees": float(result.fitted.rounds), **card.metrics}
    metrics |= {f"held_out/{tier}": loss for tier, loss in card.losses.items()}
    metrics |= {f"counts/{what}": float(number) for what, number in card.counts.items()}
    if card.coverage is not None:
        metrics["coverage"] = card.coverage
    return metrics | result.metrics()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()
