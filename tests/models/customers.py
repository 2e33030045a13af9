"""Rows of imagined customers, as a policy is given them."""

import math
from typing import Any

from hypothesis import strategies as st

from features.events import Stage, days
from features.journey import Journey
from models.decisions.actions import ACTIONS

NOW = days(20_000)
TARGETS = frozenset[str]().union(*(action.targets for action in ACTIONS))
NAMES = (*Journey.features, *TARGETS)
INTERESTING = (math.nan, 0.0, 0.01, 0.3, 0.59, 0.6, 0.8, 1.0, 2.0, 3.0, 4.5, 6.0, 7.0, 9.0, 14.0, 28.0, 45.0, 50.0, 1e4)
"""Values on and beside the thresholds of the catalogue."""


def customer(stage: Stage, **known: float) -> dict[str, float]:
    """A customer at a stage of whom nothing is known but what is given."""
    return {**dict.fromkeys(NAMES, math.nan), "stage": float(stage), **known}


@st.composite
def customers(draw: st.DrawFn) -> dict[str, float]:
    """Any customer, likely or not; probabilities are probabilities or not known."""
    columns = sorted(frozenset[str]().union(*(action.columns() for action in ACTIONS)) - TARGETS)
    row = customer(draw(st.sampled_from(Stage)))
    row.update({name: draw(st.sampled_from(INTERESTING)) for name in columns})
    row.update({name: draw(st.sampled_from((math.nan, 0.0, 0.02, 0.3, 0.6, 0.9, 1.0))) for name in sorted(TARGETS)})
    return row


def recent_actions() -> st.SearchStrategy[dict[str, int]]:
    """When some of the actions were last chosen, up to two years ago."""
    names = st.sampled_from([action.name for action in ACTIONS])
    return st.dictionaries(names, st.integers(0, days(730)).map(lambda age: NOW - age))


def as_row(names: Any, values: Any) -> dict[str, float]:
    """Features as the fold reads them, as a row for a policy."""
    return dict(zip(names, values.tolist(), strict=True))
