"""The report of a training run as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.bundle.manifest import Manifest, TargetCard
from models.bundle.readiness import why_not_higher
from training.evaluation.gates import Gate
from training.recommenders.evaluation import RankingEvaluation
from training.run.figures import Figures

CLASSIC = "rfm_logistic"
"""The baseline that is shown beside the model."""

MORE = "waypost import FILE"
"""The command to run where data is lacking."""


class Table(NamedTuple):
    """A table of the report: every cell is a text or a whole number."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str | int, ...]]


def tier_table(cards: Mapping[str, TargetCard]) -> Table:
    """The tier of each target, its evidence and its figures."""
    rows: list[tuple[str | int, ...]] = []
    for name, card in cards.items():
        losses = ", ".join(f"{tier} {loss:.4f}" for tier, loss in card.losses.items())
        covered = "" if card.coverage is None else f"{card.coverage:.1%}"
        counted = int(card.counts["customers"]), int(card.counts["yes"])
        rows.append((name, card.form, card.tier, card.evidence, f"{card.base_rate:.4g}", *counted, losses, covered))
    columns = (
        "target",
        "answer",
        "tier",
        "evidence",
        "base rate",
        "customers",
        "yes",
        "log loss",
        "90 % interval holds",
    )
    return Table("the tier of each target, and the log loss of all tiers tried on unseen rows", columns, rows)


def ranking_table(ranking: RankingEvaluation) -> Table:
    """The figures of the recommender."""
    title = (
        f"recommender: what {ranking.customers:,} customers bought in the next 7 days, ranked against all "
        f"{ranking.items:,} items; NDCG@20 is {ranking.ratio.value:.2f} times that of popularity"
    )
    rows: list[tuple[str | int, ...]] = [
        (model, *map(str, figures.values())) for model, figures in ranking.figures.items()
    ]
    return Table(title, ("model", "NDCG@20", "recall@20"), rows)


def gate_table(gates: Sequence[Gate]) -> Table:
    """Every gate with its value, its threshold and the result."""
    rows: list[tuple[str | int, ...]] = []
    for gate in gates:
        threshold = f"{'at most' if gate.at_most else 'above'} {gate.threshold:g}"
        verdict = "passed" if gate.passed else "held back" if gate.holds else "not earned"
        rows.append((f"{gate.subject}, {gate.tier}", gate.condition, f"{gate.value:.4f}", threshold, verdict))
    return Table("gates", ("model", "condition", "value", "expected", ""), rows)


def figures_table(manifest: Manifest, tested: Mapping[str, Figures]) -> Table:
    """The tier of each target with its figures, beside those of the baseline `CLASSIC`.

    `tested` are the figures of probabilities by target.
    """
    rows: list[tuple[str | int, ...]] = []
    for name, card in manifest.targets.items():
        figures = tested.get(name, {})
        own = next(iter(figures.values()), None)
        beside = figures.get(CLASSIC)
        rows.append((
            name, card.tier, card.evidence,
            str(own["roc_auc"]) if own else "", f"{beside['roc_auc'].value:.3f}" if beside else "",
            f"{own['calibration_error'].value:.3f}" if own else "",
            "" if card.coverage is None else f"{card.coverage:.1%}",
        ))  # fmt: skip
    columns = ("target", "tier", "ev.", "ROC-AUC", "RFM", "calib. error", "90 % holds")
    title = "the tier of each target, its evidence (ev.), and its figures on unseen rows, beside RFM logistic"
    return Table(title, columns, rows)


def served_table(manifest: Manifest) -> Table:
    """The targets that the highest tier does not answer: why, and the command that may change it."""
    rows: list[tuple[str | int, ...]] = [
        (name, card.tier, why, _next_step(name, card))
        for name, card in manifest.targets.items()
        if (why := why_not_higher(card))
    ]
    if manifest.recommender_why:
        rows.append(("recommender", manifest.recommender_tier, manifest.recommender_why, MORE))
    title = "targets below their highest tier; after an import, run `waypost train` again"
    return Table(title, ("target", "tier", "why no higher tier", "next"), rows)


def _next_step(name: str, card: TargetCard) -> str:
    """The command that may lead to a higher tier."""
    if card.goes_on:
        return "waypost monitor"
    if card.held_back:
        return f"waypost train --study 10 {name}"
    return MORE
