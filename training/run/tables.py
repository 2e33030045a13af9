"""The report of a training run as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from features.grammar import duration_text
from models.bundle.manifest import Manifest, TargetCard
from models.bundle.readiness import why_not_higher
from training.evaluation.evaluation import Figure
from training.evaluation.gates import Gate
from training.evaluation.metrics import TITLES
from training.recommenders.evaluation import RankingEvaluation
from training.run.target_result import AT_CUTOFFS, AmountTarget, TrainedTarget, moment

CLASSIC = "rfm_logistic"
"""The baseline that is shown beside the model at each cutoff."""

MORE = "waypost import FILE"
"""What to run where data is lacking."""


class Table(NamedTuple):
    """A table for people: every cell is a text or a whole number."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str | int, ...]]


def target_table(name: str, trained: TrainedTarget) -> Table:
    """The figures of a target's model and of the baselines."""
    target, test = trained.target, trained.evaluation
    title = (
        f"{name}: {target.definition}, asked of {target.scope_text}; base rate {test.base_rate:.1%}; "
        f"{test.rows:,} rows of {test.customers:,} customers, horizon {duration_text(target.horizon)}"
    )
    metrics = list(next(iter(test.figures.values())))
    rows: list[tuple[str | int, ...]] = [
        (model, *(str(figures[metric]) for metric in metrics)) for model, figures in test.figures.items()
    ]
    return Table(title, ("model", *(TITLES[metric] for metric in metrics)), rows)


def ladder_table(cards: Mapping[str, TargetCard]) -> Table:
    """On which rung each target stands, and what stands behind it."""
    rows: list[tuple[str | int, ...]] = []
    for name, card in cards.items():
        losses = ", ".join(f"{rung} {loss:.4f}" for rung, loss in card.losses.items())
        covered = "" if card.coverage is None else f"{card.coverage:.1%}"
        counted = int(card.counts["customers"]), int(card.counts["yes"])
        rows.append((name, card.form, card.rung, card.evidence, f"{card.base_rate:.4g}", *counted, losses, covered))
    columns = (
        "target",
        "answer",
        "rung",
        "evidence",
        "base rate",
        "customers",
        "yes",
        "log loss",
        "90 % interval holds",
    )
    return Table("the ladder: the rung of least log loss on rows it had not seen", columns, rows)


def amount_table(name: str, trained: AmountTarget) -> Table:
    """The errors of an amount, of the model and of the baselines."""
    test = trained.test
    if test is None:
        return Table(f"{name}: not tested", ("why",), [(trained.missing,)])
    title = (
        f"{name}: {trained.target.definition}, asked of {trained.target.scope_text}; mean {test.mean:.2f}; "
        f"{test.rows:,} rows; foretold {test.total:.1%} of the total; {test.coverage:.1%} inside the 90 % interval"
    )
    rows: list[tuple[str | int, ...]] = [
        (model, str(figures["mae"]), str(figures["rmse"]), str(figures["total"]))
        for model, figures in test.figures.items()
    ]
    return Table(title, ("model", "mean absolute error", "root mean squared error", "foretold of the total"), rows)


def cutoff_table(name: str, trained: TrainedTarget) -> Table:
    """Ranking at each cutoff of the test, of the model and of the classic baseline."""
    rows: list[tuple[str | int, ...]] = []
    for cutoff, by_model in trained.at_each_cutoff().items():
        shown = [f"{by_model[model][metric]:.3f}" for model in ("model", CLASSIC) for metric in AT_CUTOFFS]
        rows.append((moment(cutoff), int((trained.test.cutoff == cutoff).sum()), *shown))
    columns = ("cutoff", "rows", "ROC-AUC", "PR-AUC", f"ROC-AUC {CLASSIC}", f"PR-AUC {CLASSIC}")
    return Table(f"{name} at each cutoff of the test", columns, rows)


def reliability_table(name: str, trained: TrainedTarget) -> Table:
    """Whether the probabilities hold in each stage and channel."""
    rows: list[tuple[str | int, ...]] = [
        (
            f"{feature} {value}", found.rows, found.customers, f"{found.given:.1%}",
            str(Figure(found.share, found.low, found.high)), "" if found.holds else "off",
        )
        for feature, parts in trained.reliability.items()
        for value, found in parts.items()
    ]  # fmt: skip
    columns = ("part", "rows", "customers", "mean probability", "share of yes", "")
    return Table(f"{name} by stage and channel: mean probability beside what came, with a 95 % interval", columns, rows)


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
    """Every gate, what was found and what was wanted."""
    rows: list[tuple[str | int, ...]] = []
    for gate in gates:
        wanted = f"{'at most' if gate.at_most else 'above'} {gate.threshold:g}"
        verdict = "passed" if gate.passed else "held back" if gate.holds else "not earned"
        rows.append((f"{gate.subject}, {gate.tier}", gate.condition, f"{gate.value:.4f}", wanted, verdict))
    return Table("gates", ("model", "condition", "found", "wanted", ""), rows)


def figures_table(manifest: Manifest, tested: Mapping[str, TrainedTarget]) -> Table:
    """What answers each target and how well, a line each; the classic baseline beside it."""
    rows: list[tuple[str | int, ...]] = []
    for name, card in manifest.targets.items():
        figures = tested[name].evaluation.figures if name in tested else {}
        own = next(iter(figures.values()), None)
        beside = figures.get(CLASSIC)
        rows.append((
            name, card.rung, card.evidence,
            str(own["roc_auc"]) if own else "", f"{beside['roc_auc'].value:.3f}" if beside else "",
            f"{own['calibration_error'].value:.3f}" if own else "",
            "" if card.coverage is None else f"{card.coverage:.1%}",
        ))  # fmt: skip
    columns = ("target", "tier", "ev.", "ROC-AUC", "RFM", "calib. error", "90 % holds")
    title = "what answers each target, its evidence (ev.), and how it did on rows it had not seen, beside RFM logistic"
    return Table(title, columns, rows)


def served_table(manifest: Manifest) -> Table:
    """What is not answered by the highest tier: why, and the command that may change it."""
    rows: list[tuple[str | int, ...]] = [
        (name, card.rung, why, _next_step(name, card))
        for name, card in manifest.targets.items()
        if (why := why_not_higher(card))
    ]
    if manifest.recommender_tier != "neighbours":
        rows.append(("recommender", manifest.recommender_tier, manifest.recommender_why, MORE))
    title = "what a higher tier may answer yet; after an import, run `waypost train` again"
    return Table(title, ("target", "tier", "why nothing higher", "next"), rows)


def _next_step(name: str, card: TargetCard) -> str:
    """The command that may lead to a higher tier."""
    if card.goes_on:
        return "waypost monitor"
    if card.held_back:
        return f"waypost train --study 10 {name}"
    return MORE
