"""A fold: feature declarations, compiled. The same machine code replays history and follows live events.

The generated module is stored in a cache folder under the hash of its text (`WAYPOST_CACHE`, by default
`~/.cache/waypost`), with numba's machine code beside it: compiled once for each machine and feature set.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.aggregates.base import Aggregate
from features.events import EVENT, Channel, Kind, Stage
from features.files import replace
from features.fold.feature_set import Declarations
from features.fold.wiring import fold_text, layout

STATE_LIMIT = 1024
"""Bytes a state may take."""


class FingerprintMismatch(ValueError):
    """A state, snapshot or bundle was made by another fold than the running one."""


class StateTooLarge(ValueError):
    """The declared features need more state than a customer may have."""


def cache_folder() -> Path:
    """The folder of the generated folds and their machine code; created when it is missing.

    Without a home folder that can be written, a folder of this user's own among the temporary files; never a folder
    that another user can write to, because the code in it is run.
    """
    chosen = os.environ.get("WAYPOST_CACHE")
    try:
        folder = Path(chosen) if chosen else Path.home() / ".cache" / "waypost"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # a RuntimeError where the user has no home
        folder = Path(tempfile.gettempdir()) / f"waypost-{os.getuid()}"
        folder.mkdir(exist_ok=True, mode=0o700)
        status = folder.stat()
        if status.st_uid == os.getuid() and not status.st_mode & 0o077:
            return folder
        return Path(tempfile.mkdtemp(prefix="waypost-"))


class Fold:
    """`step` folds events into a state, `read` turns a state into features.

    States are rows of a plain structured array of dtype `state`; they may be stored as their bytes. Nothing is
    compiled before the first use.
    """

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self.names: tuple[str, ...] = tuple(declarations.features)
        self.index: dict[str, int] = {name: place for place, name in enumerate(self.names)}
        self.aggregates: list[Aggregate] = declarations.aggregates()
        self.state: np.dtype[np.void] = layout(self.aggregates)
        if self.state.itemsize > STATE_LIMIT:
            raise StateTooLarge(
                f"{declarations.__name__} needs {self.state.itemsize} bytes of state; {STATE_LIMIT} are allowed. "
                f"The largest parts: {self._largest_parts()}. Take one out, or give it a smaller size"
            )
        self._blank = np.zeros(1, self.state)
        for aggregate in self.aggregates:
            for slot, value in aggregate.empty().items():
                self._blank[f"{aggregate.name}__{slot}"] = value

    @cached_property
    def source(self) -> str:
        """The text of the generated module."""
        return fold_text(self.declarations)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the generated text (which holds the layout) and the vocabulary: 16 hexadecimal digits."""
        digest = hashlib.sha256(self.source.encode())
        for members in (Kind, Channel, Stage):
            digest.update(repr([(member.name, int(member)) for member in members]).encode())
        return digest.hexdigest()[:16]

    @cached_property
    def _compiled(self) -> ModuleType:
        name = f"fold_{self.fingerprint}"
        path = cache_folder() / f"{name}.py"
        if not path.exists() or path.read_text() != self.source:
            replace(path, self.source, durable=False)
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load the generated fold {path}; remove the file and run the command again")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def empty(self, number: int = 1) -> NDArray[np.void]:
        """`number` states of customers without events."""
        return np.repeat(self._blank, number)

    def step(self, states: NDArray[np.void], index: int, events: NDArray[np.void]) -> None:
        """Fold EVENT rows of one customer, in log order, into states[index] in place."""
        _check_place(states, index)
        self._compiled.step(states, index, events, 0, len(events))

    def read(self, states: NDArray[np.void], index: int, now: int) -> NDArray[np.float32]:
        """Features of states[index] at `now`, float32[len(names)]; the state is left as it is."""
        _check_place(states, index)
        out = np.empty((1, len(self.names)), np.float32)
        self._compiled.sweep(states[index : index + 1], now, out)
        features: NDArray[np.float32] = out[0]
        return features

    def sweep(self, states: NDArray[np.void], now: int) -> NDArray[np.float32]:
        """Features of all states at `now`, float32[len(states), len(names)]."""
        out = np.empty((len(states), len(self.names)), np.float32)
        self._compiled.sweep(states, now, out)
        return out

    def replay(
        self, events: NDArray[np.void], starts: NDArray[np.int64], first: int, last: int, cutoffs: NDArray[np.int64],
        rows: NDArray[np.int64], out: NDArray[np.float32], states: NDArray[np.void], *, keep: bool,
    ) -> None:  # fmt: skip
        """The compiled loop behind `features.replay.replay`; see `features/fold/loops.py` for its arguments. Releases
        the GIL."""
        self._compiled.replay(events, starts, first, last, cutoffs, rows, out, states, keep)

    def compile(self) -> None:
        """Compile everything, or load it from the cache, so that no later call waits."""
        states, events = self.empty(2), np.zeros(1, EVENT)
        self.step(states, 0, events)
        self.sweep(states, 0)
        nothing = np.zeros(2, np.int64)
        out = np.empty((1, len(self.names)), np.float32)
        self.replay(events, nothing, 0, 1, nothing, nothing, out, states, keep=False)

    def from_bytes(self, states: bytes, fingerprint: str) -> NDArray[np.void]:
        """Stored states as a writable array. Raises FingerprintMismatch when another fold made them."""
        self.check(fingerprint, "This state")
        return np.frombuffer(bytearray(states), self.state)

    def memory(self, states: NDArray[np.void], index: int, name: str) -> Any:
        """What a memory holds for one customer: `recent...` lists (code, at), newest first; `cart` (code, pieces)."""
        return self._memory(name).entries(states[index])

    def memory_many(self, states: NDArray[np.void], name: str) -> dict[str, NDArray[Any]]:
        """The slots of a memory for all states, by the names its `entries` use or the slots' own."""
        aggregate = self._memory(name)
        entries = aggregate.entries(states)
        if isinstance(entries, dict):
            return entries
        return {slot: states[f"{aggregate.name}__{slot}"] for slot in aggregate.empty()}

    def _largest_parts(self) -> str:
        sizes = {
            aggregate.name: sum(np.asarray(slot).nbytes for slot in aggregate.empty().values())
            for aggregate in self.aggregates
        }
        return ", ".join(f"{name} {sizes[name]} bytes" for name in sorted(sizes, key=lambda name: -sizes[name])[:5])

    def _memory(self, name: str) -> Aggregate:
        if name not in self.declarations.memories:
            raise LookupError(f"no memory '{name}'; there are: {', '.join(self.declarations.memories)}")
        return self.declarations.memories[name]

    def check(self, fingerprint: str, what: str) -> None:
        """Refuse `what` if it was not made by this fold."""
        if fingerprint != self.fingerprint:
            raise FingerprintMismatch(
                f"{what} was made with features {fingerprint}, the running fold is {self.fingerprint}. "
                "Run `waypost rebuild` for states and `waypost train` for models, or deploy the release that made it."
            )


def _check_place(states: NDArray[np.void], index: int) -> None:
    """Raise IndexError for an index outside of `states`: compiled code does not check bounds."""
    if not 0 <= index < len(states):
        raise IndexError(f"there is no state {index}: there are {len(states)}")
