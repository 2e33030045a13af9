"""The key figures of the shop as an insight: title, unit, definition, and value or the reason why it is unknown."""

from __future__ import annotations

from pydantic import Field

from insights.insight import Insight, Schema, Shop
from insights.kpis import KPIS, Columns
from insights.numbers import known


class KeyFigure(Schema):
    """One figure about the shop."""

    name: str
    title: str
    unit: str = Field(description="What is counted; `share` is between 0 and 1, `currency` the shop's.")
    definition: str
    value: float | None
    missing: str | None = Field(description="Why there is no value: the log has no such events.")


class KeyFigures(Schema):
    """The key figures of the shop, each with its definition, as of the last sweep."""

    figures: list[KeyFigure]


def key_figures(columns: Columns) -> list[KeyFigure]:
    """All key figures of a scoreboard, in the order of reading."""
    values = {name: known(kpi.value(columns)) for name, kpi in KPIS.items()}
    return [
        KeyFigure(
            name=kpi.name,
            title=kpi.title,
            unit=kpi.unit,
            definition=kpi.doc,
            value=values[kpi.name],
            missing=kpi.missing(columns) if values[kpi.name] is None else None,
        )
        for kpi in KPIS.values()
    ]


def _answer(shop: Shop) -> KeyFigures:
    return KeyFigures(figures=key_figures(shop.columns))


INSIGHT = Insight(
    name="kpis",
    question="How is the shop doing?",
    compute=_answer,
    schema=KeyFigures,
    template="insights/kpis.html",
)
