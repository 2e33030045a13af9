"""The page of targets, `docs/targets.md`."""

from __future__ import annotations

from features.grammar import duration_text
from features.outcomes import VISIT_CAP, VISIT_GAP
from training.targets import declared
from training.targets.catalogue import TARGETS
from training.targets.target import Target

_FORMS = {"probability": "yes means ", "amount": "the ", "stage": ""}


def catalogue() -> str:
    """The text of `docs/targets.md`."""
    example = (declared.__doc__ or "").split("\n\n", 2)
    lines = [
        "# Targets",
        "",
        "<!-- Generated: python -m training.targets > docs/targets.md -->",
        "",
        "The built-in targets, one declaration each in `training/targets/catalogue.py`. The features of a row are",
        "computed from what had been received by its cutoff. The answer counts events that happened after the cutoff",
        "and within the horizon, under all ids that belong to the customer in the end. Rows whose horizon passes the",
        "end of the log are left out, never counted as no.",
        "",
        "Calendar targets have the same cutoffs for all customers, several per customer. Targets of a visit are asked",
        f"during the visit, of anonymous visitors, too; a visit is over after a pause of {duration_text(VISIT_GAP)}",
        f"and is followed for {duration_text(VISIT_CAP)} at most. The prior is the answer without any data.",
        "",
        "| target | answer | scope | horizon | prior |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| `{target.name}` | {_FORMS[target.form]}{_cell(target.definition)} | {_cell(target.scope_text)} "
            f"| {_horizon(target)} | {target.prior:g} |"
            for target in TARGETS.values()
        ),
    ]
    for target in TARGETS.values():
        lines += ["", f"**`{target.name}`.** {target.doc}"]
    lines += ["", "## Your own", "", "A shop declares its own targets in `targets.toml`, without code:", "", "```toml"]
    lines += [line.removeprefix("    ") for line in example[1].splitlines()]
    lines += ["```", "", example[2].strip()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _horizon(target: Target) -> str:
    longest = duration_text(target.horizon)
    fixed = isinstance(getattr(target.outcome, "within", None), int)
    return longest if fixed else f"at most {longest}"
