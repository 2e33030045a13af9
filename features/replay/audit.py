"""The audit: customers recomputed from the raw log by the oracle, and compared with their states bit for bit.

The oracle runs the text of the generated fold as plain Python, without the compiler. It shares the declarations and the
log with the server, but neither the machine code nor any stored state. It is a thousand times slower, so it is for
samples.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.aggregates.base import WORDS
from features.fold.fold import Fold
from features.log.contract import EventStore, Vocabulary

Load = Callable[[str], NDArray[np.void]]
"""The state of a customer as the server has it: one record."""

_COMPILER = "from numba import njit\n"


class Mismatch(NamedTuple):
    """A customer whose state is not the fold of its events."""

    code: int
    """The customer's code in the log, and not its name, because the results of an audit may be logged."""
    slots: tuple[str, ...]
    """The parts of the state that differ."""


class _Wide:
    """A state, or an array in it, whose numbers are read as Python numbers.

    So all arithmetic is done in 64 bits and only stored values are rounded, as in compiled code; NumPy would add two
    32-bit numbers in 32 bits.
    """

    def __init__(self, narrow: Any) -> None:
        self._narrow = narrow
        names = getattr(narrow.dtype, "names", None) or ()
        self._arrays = {name: _Wide(narrow[name]) for name in names if np.ndim(narrow[name])}

    def __getitem__(self, place: Any) -> Any:
        return self._arrays.get(place) or self._narrow[place].item()

    def __setitem__(self, place: Any, value: Any) -> None:
        self._narrow[place] = value

    def __len__(self) -> int:
        return len(self._narrow)


class Oracle:
    """A fold run as plain Python: every state must equal the one that `state` gives."""

    def __init__(self, fold: Fold) -> None:
        if _COMPILER not in fold.source:
            raise ValueError(f"the text of the fold has no line {_COMPILER!r}, so it cannot be run without it")
        self.fold = fold
        module: dict[str, Any] = {"njit": _plain, "__name__": f"oracle_{fold.fingerprint}"}
        exec(compile(fold.source.replace(_COMPILER, ""), "<fold as plain Python>", "exec"), module)
        self._update: Callable[..., None] = module["update"]

    def state(self, events: NDArray[np.void]) -> NDArray[np.void]:
        """The state, one record, after EVENT rows of one customer in log order."""
        states = self.fold.empty()
        state = _Wide(states[0])
        columns = [events[name].tolist() for name in WORDS]
        with np.errstate(all="ignore"):  # division by zero and overflow are values, as in the compiled fold
            for row in zip(*columns, strict=True):
                self._update(state, *row)
        return states

    def differences(self, state: NDArray[np.void], events: NDArray[np.void]) -> tuple[str, ...]:
        """The slots in which a state differs, in any bit, from the fold of `events`; empty when none does."""
        expected = self.state(events)
        names = expected.dtype.names or ()
        return tuple(name for name in names if state[name].tobytes() != expected[name].tobytes())


def _plain(**options: Any) -> Callable[[Any], Any]:
    """Replaces numba's decorator: returns the function unchanged."""
    return lambda function: function


def audit(oracle: Oracle, log: EventStore, load: Load, customer: str) -> Mismatch | None:
    """Compare a customer's state with its events; None when it is right.

    Nothing is locked, so an event may arrive meanwhile: the state is loaded before and after the events, and all is
    read again until both states agree. Inside a transaction no event can arrive.
    """
    before = load(customer)
    while True:
        events = log.history(customer)
        after = load(customer)
        if before.tobytes() == after.tobytes():
            break
        before = after
    code = log.customers.code(customer)
    slots = oracle.differences(after, events)
    return Mismatch(-1 if code is None else code, slots) if slots else None


def everyone(customers: Vocabulary) -> Iterator[str]:
    """Every customer, by code; those erased left out."""
    return (name for name in customers.names() if name)


def sample(customers: Vocabulary, number: int, seed: int) -> list[str]:
    """`number` customers drawn without replacement, the same for the same seed; all when there are no more."""
    names = list(everyone(customers))
    return names if number >= len(names) else random.Random(seed).sample(names, number)
