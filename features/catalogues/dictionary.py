"""The data dictionary: what each feature means and how it is computed, from its declaration alone.

`python -m features.catalogues.dictionary > docs/features.md` writes the page; a test keeps it true.
"""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass

import numpy as np

from features.aggregates.base import Aggregate, Reading
from features.fold.fold import STATE_LIMIT, Fold
from features.journey import JOURNEY


@dataclass(frozen=True)
class Part:
    """One aggregate behind a feature: its meaning, its slots (name and type), and the text of its kernels."""

    name: str
    meaning: str
    note: str
    commutes: bool
    slots: dict[str, str]
    update: str
    reads: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes of state."""
        return sum(_bytes(slot) for slot in self.slots.values())


@dataclass(frozen=True)
class Explanation:
    """All there is to know of a feature."""

    name: str
    family: str
    formula: str
    parts: list[Part]


class UnknownFeature(LookupError):
    """No feature has this name."""


def explain(name: str, fold: Fold = JOURNEY) -> Explanation:
    """The declaration of a feature and its parts. Raises UnknownFeature with the closest names."""
    import difflib

    features = fold.declarations.features
    if name not in features:
        close = difflib.get_close_matches(name, features, n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(close)}?" if close else "see docs/features.md"
        raise UnknownFeature(f"no feature '{name}': {hint}")
    kernels: dict[str, list[str]] = {}
    aggregates: dict[str, Aggregate] = {}
    for leaf in features[name].walk():
        if isinstance(leaf, Reading):
            aggregates[leaf.aggregate.name] = leaf.aggregate
            kernels.setdefault(leaf.aggregate.name, []).append(leaf.kernel)
    parts = [part_of(aggregate, kernels[key]) for key, aggregate in aggregates.items()]
    return Explanation(name, fold.declarations.families[name], str(features[name]), parts)


def part_of(aggregate: Aggregate, kernels: list[str]) -> Part:
    """An aggregate and those of its reading kernels that a feature uses."""
    slots = {slot: _slot_type(value) for slot, value in aggregate.empty().items()}
    note = inspect.cleandoc(type(aggregate).__doc__ or "")
    reads = {kernel: _source(aggregate, kernel) for kernel in dict.fromkeys(kernels)}
    return Part(aggregate.name, str(aggregate), note, aggregate.commutes, slots, _source(aggregate, "update"), reads)


def _source(aggregate: Aggregate, kernel: str) -> str:
    text = textwrap.dedent(inspect.getsource(getattr(type(aggregate), kernel)))
    return text.removeprefix("@staticmethod\n").rstrip()


def _slot_type(value: object) -> str:
    array = np.asarray(value)
    return f"{array.dtype}[{array.size}]" if array.shape else str(array.dtype)


def _bytes(slot: str) -> int:
    kind, _, size = slot.partition("[")
    return np.dtype(kind).itemsize * int(size.rstrip("]") or 1)


def page(fold: Fold = JOURNEY) -> str:
    """docs/features.md."""
    declarations = fold.declarations
    lines = [
        "<!-- Generated: python -m features.catalogues.dictionary > docs/features.md -->",
        "# The features of a customer",
        "",
        f"{len(fold.names)} features, read from a state of {fold.state.itemsize} bytes (at most {STATE_LIMIT}). "
        "Days are counted from microseconds; an unknown value is NaN, and so is anything divided by zero. "
        "`waypost explain NAME` prints the state and the code behind a feature. "
        "More of an engaging feature alone never makes a customer less engaged, and trees hold to it.",
    ]
    family = ""
    for name, expr in declarations.features.items():
        if declarations.families[name] != family:
            family = declarations.families[name]
            lines += [
                "",
                f"## {family}",
                "",
                "| feature | meaning | any order | engaging |",
                "| --- | --- | --- | --- |",
            ]
        readings = [leaf for leaf in expr.walk() if isinstance(leaf, Reading)]
        order = "yes" if all(leaf.aggregate.commutes for leaf in readings) else "no"
        engaging = "yes" if name in declarations.engaging else ""
        lines.append(f"| `{name}` | {str(expr).replace('|', 'or')} | {order} | {engaging} |")
    lines += ["", "## Memories", "", "Lists that a state keeps for recommendations, contact caps and reports.", ""]
    lines += ["| memory | holds | bytes |", "| --- | --- | --- |"]
    for name, aggregate in declarations.memories.items():
        lines.append(f"| `{name}` | {aggregate} | {part_of(aggregate, []).size} |")
    lines += ["", "## Aggregates", "", "| aggregate | meaning |", "| --- | --- |"]
    kinds = dict.fromkeys(type(aggregate) for aggregate in fold.aggregates)
    lines += [f"| `{kind.__name__}` | {' '.join(inspect.cleandoc(kind.__doc__ or '').split())} |" for kind in kinds]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page())
