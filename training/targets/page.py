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
        "What is predicted, one declaration each in `training/targets/catalogue.py`. Features at a moment are what",
        "had been received by then. The answer is looked for after the moment and no later than the horizon, by the",
        "time events happened and of whoever the customer turned out to be; rows whose horizon passes the end of the",
        "log are left out, never counted as no.",
        "",
        "Calendar targets are asked of everyone at the same cutoffs, several per customer. Targets of a visit are",
        "asked while it goes on, anonymous visitors included; a visit is over after a pause of "
        f"{duration_text(VISIT_GAP)}",
        f"and is followed for {duration_text(VISIT_CAP)} at most. The prior is what is believed before there is data.",
        "",
        "| target | answer | asked of | horizon | prior |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| `{each.name}` | {_FORMS[each.form]}{_cell(each.definition)} | {_cell(each.scope_text)} "
            f"| {_horizon(each)} | {each.prior:g} |"
            for each in TARGETS.values()
        ),
    ]
    for each in TARGETS.values():
        lines += ["", f"**`{each.name}`.** {each.doc}"]
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
