"""Every insight. To add one, add one entry."""

from __future__ import annotations

from insights import journey, key_figures
from insights.insight import Insight

INSIGHTS: dict[str, Insight] = {insight.name: insight for insight in (journey.INSIGHT, key_figures.INSIGHT)}
"""The insights by name, in the order of the report."""


def markdown() -> str:
    """The catalogue as a page: `docs/insights.md`."""
    lines = [
        "# Insights",
        "",
        "<!-- Generated: python -m insights.catalogue > docs/insights.md -->",
        "",
        "Answers about all customers, computed at every sweep. Each insight is a section of the report, a route, a",
        "table of the command line and a CSV. An unknown value is null in JSON, and an empty cell in a table.",
        "",
    ]
    for insight in INSIGHTS.values():
        lines += [
            f"## {insight.name}",
            "",
            f"**{insight.question}** {insight.doc}",
            "",
            f"`GET /v1/{insight.name}`, its table `{insight.table}` as CSV with `?format=csv`, or "
            f"`waypost insights show {insight.name}`.",
            "",
            f"| column of `{insight.table}` | meaning |",
            "| --- | --- |",
            *(f"| `{name}` | {field.description or ''} |" for name, field in insight.row.model_fields.items()),
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(), end="")
