"""The different texts of a column, each looked at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl


class Distinct:
    """The different texts of a column, in order of their first row."""

    def __init__(self, texts: pl.Series) -> None:
        categories = pl.Categories.random()  # of its own, so that no text has a number already
        self._numbers = texts.cast(pl.Categorical(categories)).to_physical()
        numbers = self._numbers.drop_nulls().to_numpy()
        firsts = np.empty(int(numbers.max()) + 1 if len(numbers) else 0, np.int64)
        firsts[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)  # of several, the last one assigned stays
        self._order = np.argsort(firsts)
        self.names = texts.drop_nulls().gather(firsts[self._order])

    def given(self, codes: Sequence[int]) -> pl.Series:
        """The code of each row, from the codes of `names`; null where there is no text."""
        by_number = np.empty(len(codes), np.int32)
        by_number[self._order] = codes
        return pl.Series(by_number).gather(self._numbers)
