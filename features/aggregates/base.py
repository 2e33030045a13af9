"""What an aggregate is: an empty value, an update, readings, and a meaning.

An aggregate summarises the events of one customer in a few fixed slots. It is a frozen dataclass whose
fields are its parameters. Its kernels `update` and `read...` are pure static functions; their arguments
are bound by name: slots, parameters, and the words below. `update` returns the new values of the scalar
slots in their order; array slots are changed in place. `features/fold/wiring.py` copies the text of the
kernels into the generated fold, so a kernel may use only its arguments, the constants and functions of
`features/aggregates/kernels.py` and the functions its class lists in `uses`.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from features.events import MINUTE, Channel, Selection
from features.grammar import Expr, duration_text

WORDS = ("at", "received", "kind", "channel", "item", "category", "quantity", "amount", "score")
"""The arguments that an `update` may take from the event, beside `value`, the column of the selection."""


CODES = {"item": 0, "category": 0, "channel": 1}
"""Columns that hold codes, with the lowest code that is not absent or unknown."""


class Row(NamedTuple):
    """One event of a history, as `meaning` reads it: the columns of `EVENT` as plain Python values."""

    at: int
    received: int
    kind: int
    channel: int
    item: int
    category: int
    quantity: float
    amount: float
    score: float


Slots = dict[str, Any]
"""Name of a slot -> its empty value, a NumPy scalar or array; its dtype is the layout."""


@dataclass(frozen=True)
class Aggregate(ABC):
    """A fixed-size summary of the selected events."""

    selection: Selection

    commutes: ClassVar[bool] = False
    """Whether the order of the events does not matter (sums of floats: up to rounding)."""

    uses: ClassVar[tuple[Callable[..., Any], ...]] = ()
    """Plain functions that the kernels call."""

    texts: ClassVar[dict[str, str]] = {}
    """The description of each named reading; `{0}` stands for the selected events."""

    def text_of(self, kernel: str) -> str:
        """The description of a reading."""
        return str(self) if kernel == "read" else self.texts[kernel.removeprefix("read_")].format(self.selection)

    @abstractmethod
    def empty(self) -> Slots:
        """The slots of a customer without events."""

    def reading_kernels(self) -> tuple[str, ...]:
        """Names of the kernels that read a number: every `read` and `read_...` of the class."""
        return tuple(sorted(name for name in dir(type(self)) if name == "read" or name.startswith("read_")))

    def meaning_of(self, reading: str, history: Sequence[Row], now: int) -> float:
        """The naive definition of a reading, in plain Python over the whole history in log order."""
        value: float = getattr(self, reading.replace("read", "meaning", 1))(history, now)
        return value

    def parameters(self) -> dict[str, float | int]:
        """The declared parameters, as the kernels are given them."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "selection" and isinstance(getattr(self, field.name), (int, float))
        }

    @property
    def name(self) -> str:
        """A name derived from what is aggregated: stable, unique within a fold, a valid identifier."""
        parts = [type(self).__name__.lower()]
        label = self.selection.label.replace(" ", "_")
        parts.extend([label] if label else [kind.name.lower() for kind in self.selection.kinds])
        parts.extend(Channel(channel).name.lower() for channel in self.selection.channels)
        if self.selection.column:
            parts.append(self.selection.column)
        parts.extend(
            _slug(getattr(self, field.name)) for field in dataclasses.fields(self) if field.name != "selection"
        )
        return "_".join(parts)

    def selected(self, history: Sequence[Row]) -> list[Row]:
        """The events of a history that this aggregate selects, in log order, without those that have no value."""
        channels = self.selection.channels
        return [
            row
            for row in history
            if row.kind in self.selection.kinds and (not channels or row.channel in channels) and self._present(row)
        ]

    def _present(self, row: Row) -> bool:
        column = self.selection.column
        if column in CODES:
            return bool(getattr(row, column) >= CODES[column])
        return not column or not math.isnan(getattr(row, column))

    def value_of(self, row: Row) -> float:
        """The selected column of an event; 1 when the selection takes the event itself."""
        value: float = getattr(row, self.selection.column) if self.selection.column else 1.0
        return value

    def entries(self, slots: Any) -> Any:
        """The entries that a memory holds in one state; only memories define it."""
        raise TypeError(f"{self.name} keeps numbers only: use its features")


def _slug(parameter: int | float) -> str:
    return duration_text(parameter).replace(" ", "").replace(".", "_") if parameter >= MINUTE else str(parameter)


@dataclass(frozen=True, eq=False)
class Reading(Expr):
    """One number read from an aggregate: a leaf of the grammar."""

    aggregate: Aggregate
    kernel: str = "read"

    @property
    def key(self) -> str:
        """Unique name of this reading within a fold."""
        return f"{self.aggregate.name}__{self.kernel}"

    def code(self, names: Any) -> str:
        """The variable that holds the reading."""
        text: str = names[self.key]
        return text

    def __str__(self) -> str:
        return self.aggregate.text_of(self.kernel)
