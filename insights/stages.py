"""The five stages in words, with examples: the source of `docs/stages.md`.

The stage aggregate has the rules (`features/aggregates/stages.py`); every example below is a test of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.events import Kind, Stage, stage_of
from insights import journey


@dataclass(frozen=True, slots=True)
class Example:
    """A short history, oldest first, and the stage it leads to.

    `history` lists (days ago, kind, survey answer or star rating or None); each event was received when it happened.
    """

    history: tuple[tuple[float, Kind, float | None], ...]
    stage: Stage
    because: str


RULES: dict[Stage, str] = {
    Stage.AWARENESS: "Knows of the shop: none of the other rules has held yet.",
    Stage.CONSIDERATION: "Has ever searched, looked at a list or a product, wished for one, or had a cart or checkout.",
    Stage.PURCHASE: "A cart or checkout is live: touched within 7 days, not emptied, not ordered since.",
    Stage.RETENTION: "Has ever ordered.",
    Stage.ADVOCACY: "Recommended the shop within 365 days, after an order: a review of at least 4 stars or without "
    "stars, a share, a referral, or an NPS answer of 9 or 10; and gave no NPS answer of 0 to 6 since.",
}
"""The rule of each stage."""

PRECEDENCE = (Stage.PURCHASE, Stage.ADVOCACY, Stage.RETENTION, Stage.CONSIDERATION, Stage.AWARENESS)
"""The stages in the order in which their rules are applied; the first rule that holds decides."""

EXAMPLES: tuple[Example, ...] = (
    Example(((1, Kind.PAGE_VIEW, None),), Stage.AWARENESS, "has only seen a page"),
    Example(((3, Kind.SIGN_UP, None), (1, Kind.LOGIN, None)), Stage.AWARENESS, "an account alone shows no interest"),
    Example(((1, Kind.AD_CLICK, None), (1, Kind.ITEM_VIEW, None)), Stage.CONSIDERATION, "looked at a product"),
    Example(((2, Kind.ITEM_VIEW, None), (2, Kind.CART_ADD, None)), Stage.PURCHASE, "the cart is live"),
    Example(((8, Kind.CART_ADD, None),), Stage.CONSIDERATION, "the cart was left for more than 7 days"),
    Example(((2, Kind.CART_ADD, None), (1, Kind.CART_REMOVE, None)), Stage.CONSIDERATION, "the cart was emptied"),
    Example(((2, Kind.CHECKOUT_START, None), (1, Kind.PAYMENT_FAIL, None)), Stage.PURCHASE, "the checkout is open"),
    Example(((2, Kind.CART_ADD, None), (1, Kind.PURCHASE, None)), Stage.RETENTION, "the order ended the cart"),
    Example(((90, Kind.PURCHASE, None), (1, Kind.ITEM_VIEW, None)), Stage.RETENTION, "a buyer who looks stays a buyer"),
    Example(((90, Kind.PURCHASE, None), (1, Kind.CART_ADD, None)), Stage.PURCHASE, "a new cart is live"),
    Example(((30, Kind.PURCHASE, None), (20, Kind.REVIEW, 5)), Stage.ADVOCACY, "praised what was bought"),
    Example(((30, Kind.PURCHASE, None), (20, Kind.REVIEW, 2)), Stage.RETENTION, "a poor review speaks for no one"),
    Example(((30, Kind.REFER, None), (20, Kind.PURCHASE, None)), Stage.RETENTION, "the referral came before any order"),
    Example(((30, Kind.PURCHASE, None), (20, Kind.SURVEY_NPS, 9)), Stage.ADVOCACY, "a promoter's answer"),
    Example(
        ((30, Kind.PURCHASE, None), (20, Kind.REFER, None), (5, Kind.SURVEY_NPS, 4)),
        Stage.RETENTION,
        "a detractor's answer ends advocacy",
    ),
    Example(((500, Kind.PURCHASE, None), (400, Kind.SHARE, None)), Stage.RETENTION, "advocacy lasts 365 days"),
    Example(
        ((30, Kind.PURCHASE, None), (20, Kind.REFER, None), (1, Kind.CART_ADD, None)),
        Stage.PURCHASE,
        "a live cart comes first",
    ),
)
"""Histories whose stage is easy to check by eye."""


def markdown() -> str:
    """The stages as a page: `docs/stages.md`."""
    lines = [
        "# Stages of the journey",
        "",
        "<!-- Generated: python -m insights.stages > docs/stages.md -->",
        "",
        "Each customer is at exactly one stage at any time. The rules are applied in this order, and the first that",
        "holds decides:",
        "",
    ]
    lines += [
        f"{place}. **{stage.name.lower()}** ({int(stage)}): {RULES[stage]}" for place, stage in enumerate(PRECEDENCE, 1)
    ]
    lines += [
        "",
        "A customer silent for longer than its own rhythm suggests is *lapsing* within its stage: see the feature",
        "`lapsing` in [features](features.md). A live cart and advocacy also expire without an event.",
        "",
        "## Examples",
        "",
        "| history | stage | because |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {_history_text(example)} | {example.stage.name.lower()} | {example.because} |" for example in EXAMPLES
    ]
    lines += [
        "",
        "## The stage of each kind of event",
        "",
        "| stage | kinds of event |",
        "| --- | --- |",
    ]
    for stage in (*Stage, None):
        kinds = ", ".join(f"`{kind.name}`" for kind in Kind if stage_of(kind) == stage)
        lines.append(f"| {stage.name.lower() if stage is not None else 'all'} | {kinds} |")
    definitions = (journey.__doc__ or "").split("\n", 2)[2].strip()
    lines += ["", "## The journey report", "", definitions, ""]
    return "\n".join(lines)


def _history_text(example: Example) -> str:
    return ", then ".join(
        f"{kind.name}{'' if score is None else f' of {score:g}'} {days_ago:g} {'day' if days_ago == 1 else 'days'} ago"
        for days_ago, kind, score in example.history
    )


if __name__ == "__main__":
    print(markdown(), end="")
