"""The values of a column that are not all texts, as a table with types holds them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.sources.columns.texts import Texts


class Values(Protocol):
    """The values of a column as Python has them in a record, and what is known of all of them by their type."""

    @property
    def are_texts(self) -> bool:
        """Whether every value is a text or None."""
        ...

    def distinct(self) -> tuple[NDArray[np.int32], list[Any]]:
        """A code for each row, and the values that the codes stand for."""
        ...

    def digits(self) -> Texts | None:
        """Whole numbers as their digits; None for another type."""
        ...

    def numbers(self) -> NDArray[np.float64] | None:
        """Numbers that `fields.number` gives as they are, NaN where there is none; None for others."""
        ...

    def times(self) -> NDArray[np.int64] | None:
        """Microseconds UTC, 0 where there is none; None for a type that is no date and time."""
        ...
