"""The forms of answers: who fits, judges and tells of a target."""

from __future__ import annotations

from training.run.forms.amount import AmountResult
from training.run.forms.contract import AnyResult
from training.run.forms.next_stage import StageResult
from training.run.forms.probability import ProbabilityResult

FORMS: dict[str, type[AnyResult]] = {each.form: each for each in (ProbabilityResult, AmountResult, StageResult)}
"""By the `form` of a target."""
