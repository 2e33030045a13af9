"""Model cards: a model's question, scope, quality, uncertainty and limits (Mitchell and others, 2019).

A card is a page of Markdown, an artifact of the target's run; its short form describes the registered version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.bundle.manifest import Manifest, TargetCard
from models.prediction.estimate import EVIDENCE
from training.evaluation.evaluation import Figure
from training.evaluation.metrics import TITLES


@dataclass(frozen=True, eq=False)
class Findings:
    """The results of a test: figures by model, the tested one first; `sizes` are rows by slice."""

    figures: Mapping[str, Mapping[str, Figure]]
    sizes: Mapping[str, int] = field(default_factory=dict)


def model_card(name: str, card: TargetCard, manifest: Manifest, tested: Findings | None) -> str:
    """The whole card, Markdown; `tested` is None where the target could not be tested."""
    parts = [f"# {name}", f"> {card.doc}", _what(card), _data(card, manifest, tested)]
    if tested is not None:
        parts += [_figures(tested), _reliability(card)]
    return "\n\n".join([*(part for part in parts if part), _sure(card), _limits(card), _usage(name, card)]) + "\n"


def summary(card: TargetCard) -> str:
    """The card in a few lines, Markdown: the question, the scope, the evidence and the figures."""
    figures = [
        f"{label} {card.metrics[key]:.3f} [{card.metrics[f'{key}_low']:.3f}, {card.metrics[f'{key}_high']:.3f}]"
        for key, label in TITLES.items()
        if f"{key}_high" in card.metrics
    ]
    lines = [
        f"**{card.definition}**, for {card.scope}.",
        f"Evidence {card.evidence} ({EVIDENCE[card.evidence]}); {_base(card)}.",
        ", ".join(figures) if figures else f"Not tested: {card.missing or 'no test was made'}",
    ]
    return "\n\n".join(lines)


def _what(card: TargetCard) -> str:
    rows = [
        ("answer", card.form),
        ("definition", card.definition),
        ("scope", card.scope),
        ("horizon", f"{card.horizon_days:g} days"),
        ("model", f"{card.tier}, calibration {card.calibration}"),
        ("evidence", f"{card.evidence}: {EVIDENCE[card.evidence]}"),
    ]
    return "## What it answers\n\n" + _table(("", ""), rows)


def _data(card: TargetCard, manifest: Manifest, tested: Findings | None) -> str:
    counts = card.counts
    text = (
        f"{counts.get('rows', 0):,.0f} rows of {counts.get('customers', 0):,.0f} customers, "
        f"{counts.get('yes', 0):,.0f} of them yes, from {counts.get('history_days', 0):,.0f} days of the log, "
        f"up to offset {manifest.log_offset:,}. "
        f"{_base(card).capitalize()}; the prior is {card.prior:g}."
    )
    sizes = "" if tested is None else ", ".join(f"{part} {size:,}" for part, size in tested.sizes.items())
    split = f"Rows are split by time, with a gap of one horizon: {sizes}." if sizes else ""
    features = (
        f"{len(manifest.features)} features of the fold `{manifest.fingerprint}`, commit `{manifest.git_commit}`."
    )
    return "\n\n".join(["## Data", text, *filter(None, [split]), features])


def _figures(tested: Findings) -> str:
    metrics = list(next(iter(tested.figures.values())))
    rows = [(model, *(str(figures[key]) for key in metrics)) for model, figures in tested.figures.items()]
    intro = "On the newest rows, with 95 % intervals from a bootstrap over customers; the first line is this model."
    return f"## How good it is\n\n{intro}\n\n" + _table(("model", *(TITLES.get(key, key) for key in metrics)), rows)


def _reliability(card: TargetCard) -> str:
    rows = [
        (f"{feature}: {part}", f"{numbers['rows']:,.0f}", f"{numbers['given']:.3f}",
         f"{numbers['share']:.3f} [{numbers['low']:.3f}, {numbers['high']:.3f}]")
        for feature, parts in card.reliability.items()
        for part, numbers in parts.items()
    ]  # fmt: skip
    if not rows:
        return ""
    columns = ("customers", "rows", "mean probability", "share of yes")
    return "## Reliability by stage and channel\n\n" + _table(columns, rows)


def _sure(card: TargetCard) -> str:
    covered = "was not measured" if card.coverage is None else f"held in {card.coverage:.1%} of the groups of the test"
    losses = "".join(f"\n- {tier}: log loss {loss:.4f}" for tier, loss in card.losses.items())
    text = f"The interval should hold the rate in {card.interval:.0%} of the cases; it {covered}."
    return f"## How sure it is\n\n{text}" + (f" Tiers tried, on unseen rows:\n{losses}" if losses else "")


def _limits(card: TargetCard) -> str:
    limits = [
        f"It answers only for {card.scope}.",
        "It predicts what happens if the shop goes on as before. It does not estimate the effect of a message.",
        "It was trained on one shop, and becomes worse as the shop changes: `waypost monitor` reports that.",
    ]
    if card.missing:
        limits.append(card.missing)
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _usage(name: str, card: TargetCard) -> str:
    columns = (
        "one column for each stage, and days"
        if card.form == "stage"
        else f"{card.form}, low, high, rank_percentile, rank_band"
    )
    return (
        "## How to use it\n\n```python\n"
        f'model = mlflow.pyfunc.load_model("models:/{name}@champion")\n'
        f"model.predict(features)  # a frame with a column for each feature -> {columns}\n```\n\n"
        f"Over HTTP it is `{name}` in the answer of `POST /v1/scores`, with the same numbers."
    )


def _base(card: TargetCard) -> str:
    return f"base rate {card.base_rate:.2%}" if card.form != "amount" else f"mean amount {card.base_rate:,.2f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
