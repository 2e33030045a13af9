"""The report of every benchmark: tables, then one line of JSON for programs, the last line of the output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

console = Console()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; its first column has names, the others figures."""
    console.print(f"[bold]{title}[/bold]", highlight=False, soft_wrap=True)
    table = Table()
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_claims(benchmark: str, claims: Mapping[str, float]) -> None:
    """Print the last line: the figures that the benchmark publishes."""
    rounded = {name: float(f"{value:.4g}") for name, value in claims.items()}
    print(json.dumps({"benchmark": benchmark, "claims": rounded}), flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median_range(values: Sequence[float], unit: str = "") -> str:
    """Median and range, as text for a table."""
    return f"{median(values):,.4g}{unit} ({min(values):,.4g} to {max(values):,.4g})"
