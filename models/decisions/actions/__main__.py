"""Print the catalogue of actions as a page: `python -m models.decisions.actions > docs/actions.md`."""

from features.events import Stage
from features.grammar import Expr, duration_text
from models.decisions.actions import ACTIONS, Action
from models.decisions.actions.action import BASKET, CART, CONTACTABLE, MARGIN, OFFERABLE, TYPICAL_ORDER, VISITING

SHARED = (
    ("the contact policy", CONTACTABLE),
    ("the offer policy", OFFERABLE),
    ("a visit is open", VISITING),
)
"""Groups of conditions that many actions share, under one name."""

WORTHS = (("CART", CART), ("BASKET", BASKET))
"""Parts of values that many actions share, under one name; CART first, because BASKET is a part of it."""


def markdown() -> str:
    """The catalogue as a page: `docs/actions.md`."""
    lines = [
        "# Actions",
        "",
        "<!-- Generated: python -m models.decisions.actions > docs/actions.md -->",
        "",
        "What the shop can do for one customer at one moment. An action is eligible when the customer is at one of",
        "its stages, every condition holds, it was not chosen too recently and its value is known. A comparison with",
        "a value that is not known is false. Among the eligible, `value - cost` decides how likely each is chosen.",
        "",
        "The value of an action is what it is assumed to add over doing nothing, in the shop's currency. The effects",
        f"are assumptions to start from, as are the margin ({MARGIN:.0%}) and the order value of a customer whose own",
        f"is not known ({TYPICAL_ORDER:g}). An effect on the log-odds of a probability p changes it by about",
        "effect x p x (1 - p), so nothing is gained where the customer has already decided.",
        "",
        "What many actions share:",
        "",
    ]
    for title, conditions in SHARED:
        lines.append(f"- {title}: {'; '.join(f'`{condition}`' for condition in conditions)}")
    lines.append(f"- `BASKET`, the worth of the next order: `{BASKET}`")
    lines.append(f"- `CART`, the worth of the open cart: `{str(CART).replace(f'({BASKET})', 'BASKET')}`")
    lines += [
        "",
        "| action | " + " | ".join(stage.name.lower() for stage in Stage) + " | channel | cost | at most once in |",
    ]
    lines.append("| --- " * (len(Stage) + 4) + "|")
    lines += [_summary(action) for action in ACTIONS]
    for action in ACTIONS:
        lines += ["", *_section(action)]
    return "\n".join(lines) + "\n"


def _summary(action: Action) -> str:
    stages = " | ".join("x" if stage in action.stages else "" for stage in Stage)
    every = duration_text(action.every) if action.every else "-"
    return (
        f"| [{action.name}](#{action.name}) | {stages} | {action.channel.name.lower()} | {action.cost:.2f} | {every} |"
    )


def _section(action: Action) -> list[str]:
    lines = [f"## {action.name}", "", action.doc, ""]
    left = list(action.conditions)
    for title, conditions in SHARED:
        shared = set(map(id, conditions))
        if shared <= set(map(id, left)):
            lines.append(f"- condition: {title}")
            left = [condition for condition in left if id(condition) not in shared]
    lines += [f"- condition: `{condition}`" for condition in left]
    lines.append(f"- value: `{_value_text(action.value)}`")
    lines.append(f"- assumption: {action.assumption}")
    if action.needs_content:
        lines.append(f"- needs: {action.needs_content}")
    if action.contact_exemption:
        lines.append(f"- outside the contact policy: {action.contact_exemption}")
    return lines


def _value_text(value: Expr) -> str:
    text = str(value)
    for name, part in WORTHS:
        text = text.replace(f"({part})", name)
    return text


if __name__ == "__main__":
    print(markdown(), end="")
