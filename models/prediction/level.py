"""The level of a shop: a shift of the log-odds of all customers, and its standard deviation.

A model's order of the customers stays good for long. The mean probability of all customers changes with the season
and the shop, so it is a separate part, which can be estimated from the latest outcomes without training the model
again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Level:
    """`shift` is added to the log-odds; `deviation` is the standard deviation of its error."""

    shift: float = 0.0
    deviation: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shift) and math.isfinite(self.deviation) and self.deviation >= 0.0):
            raise ValueError(
                f"A level has shift {self.shift} and deviation {self.deviation}; expected finite numbers, and a "
                "deviation of at least zero."
            )

    def to_fields(self) -> dict[str, float]:
        """The level as JSON values."""
        return {"shift": self.shift, "deviation": self.deviation}

    @staticmethod
    def from_fields(fields: Mapping[str, Any]) -> Level:
        """The level of what `to_fields` gave; KeyError, TypeError or ValueError for anything else."""
        return Level(float(fields["shift"]), float(fields["deviation"]))


UNMOVED = Level()
"""No shift, and no uncertainty about it."""
