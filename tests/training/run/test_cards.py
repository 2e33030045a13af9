"""Model cards say what a model answers, how well, how sure, and what is missing."""

from __future__ import annotations

from dataclasses import replace

from models.bundle.manifest import Manifest, TargetCard
from training.evaluation.evaluation import Figure
from training.run.cards import Findings, model_card, summary

CARD = TargetCard(
    definition="no PURCHASE within 28 days after the cutoff",
    scope="customers with days_since_purchase <= 56",
    horizon_days=28.0,
    base_rate=0.2,
    calibration="platt",
    metrics={"roc_auc": 0.81, "roc_auc_low": 0.79, "roc_auc_high": 0.83},
    evidence="A",
    doc="Will this customer stay away?",
    coverage=0.91,
    counts={"customers": 1200, "rows": 30_000, "yes": 6000, "history_days": 365},
    losses={"prior": 0.5, "lightgbm": 0.4},
    reliability={"stage": {"retention": dict(rows=900, customers=300, given=0.2, share=0.21, low=0.18, high=0.24)}},
)
MANIFEST = Manifest("f" * 16, ("stage",), {"churn_28d": CARD}, "2026-01-01", 1, 99, "abc", 0)
FIGURES = {
    model: {"roc_auc": Figure(value, value - 0.02, value + 0.02)} for model, value in (("model", 0.81), ("rfm", 0.7))
}


def test_a_card_has_every_part() -> None:
    page = model_card("churn_28d", CARD, MANIFEST, Findings(FIGURES, {"fit": 20_000, "test": 3000}))
    for part in (
        "# churn_28d",
        CARD.definition,
        "30,000 rows of 1,200 customers",
        "fit 20,000, test 3,000",
        "| model | 0.810 [0.790, 0.830] |",
        "| rfm | 0.700 [0.680, 0.720] |",
        "| stage: retention | 900 | 0.200 | 0.210 [0.180, 0.240] |",
        "held in 91.0% of the groups",
        "- lightgbm: log loss 0.4000",
        'load_model("models:/churn_28d@champion")',
    ):
        assert part in page


def test_a_card_without_a_test_says_what_is_missing() -> None:
    untested = replace(CARD, metrics={}, reliability={}, coverage=None, missing="It takes 192 days of history.")
    page = model_card("churn_28d", untested, MANIFEST, None)
    assert "It takes 192 days" in page and "was not measured" in page and "How good it is" not in page
    assert "It takes 192 days" in summary(untested)
    assert "ROC-AUC 0.810 [0.790, 0.830]" in summary(CARD)
