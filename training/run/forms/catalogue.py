"""The catalogue of the forms of answers."""

from __future__ import annotations

from training.run.forms.amount import AmountResult
from training.run.forms.contract import AnyResult
from training.run.forms.next_stage import StageResult
from training.run.forms.probability import ProbabilityResult

FORMS: dict[str, type[AnyResult]] = {kind.form: kind for kind in (ProbabilityResult, AmountResult, StageResult)}
"""The class of a target's result, by the `form` of the target."""
