"""The test of a probability: its metrics beside those of the baselines and of the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.prediction.scorer import Scorer
from training.evaluation.baselines import baselines
from training.evaluation.curves import Curve, Drift
from training.evaluation.evaluation import Evaluation, evaluate, plain_figures
from training.evaluation.gates import CHAMPION
from training.evaluation.reliability import Reliability, reliability_by_part
from training.fitting.intervals import coverage
from training.rows.dataset import Dataset, Slice

OWN = "model"
"""The name of the tested model among the others."""

AT_CUTOFFS = ("roc_auc", "pr_auc")
"""The metrics that are shown at each cutoff."""


@dataclass(frozen=True, eq=False)
class ProbabilityTest:
    """The result of a test on `rows`, whose columns are `names`; `predictions` are those of each row, by model.

    `coverage` is that of the interval, `curve` the learning curve, and `drifts` the distances of columns in the test
    from the same in the training rows.
    """

    names: tuple[str, ...]
    rows: Slice
    evaluation: Evaluation
    predictions: Mapping[str, NDArray[np.float64]]
    coverage: float
    curve: Curve | None = None
    drifts: Sequence[Drift] = ()

    @property
    def reliability(self) -> dict[str, dict[str, Reliability]]:
        """The reliability of the probabilities in each stage and channel, by feature and value."""
        return reliability_by_part(self.rows, self.names, self.predictions[OWN])

    def by_cutoff(self) -> dict[int, dict[str, dict[str, float]]]:
        """ROC-AUC and PR-AUC at each cutoff alone, by cutoff, model and metric; oldest cutoff first.

        Cutoffs at which all customers had the same outcome are left out.
        """
        rows, figures = self.rows, {}
        for cutoff in np.unique(rows.cutoff).tolist():
            here = rows.cutoff == cutoff
            if 0 < int(rows.labels[here].sum()) < int(here.sum()):
                figures[cutoff] = {
                    model: plain_figures(given[here], rows.labels[here], AT_CUTOFFS)
                    for model, given in self.predictions.items()
                }
        return figures


def judge_probability(scorer: Scorer, data: Dataset, seed: int, champion: Scorer | None = None) -> ProbabilityTest:
    """The test of the scorer, beside the baselines and the champion's scorer, if given."""
    test = data.test
    predictions = {OWN: scorer.score_many(test.features), **baselines(data)}
    if champion is not None:
        predictions[CHAMPION] = champion.score_many(test.features)
    evaluation = evaluate(predictions, test.labels, test.customer, seed)
    covered = coverage(predictions[OWN], test.labels, scorer.intervals, seed)
    return ProbabilityTest(data.names, test, evaluation, predictions, covered)
