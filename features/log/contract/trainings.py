"""The training runs that used a log: they show an erasure which models may have seen an event."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Training(NamedTuple):
    """A model that was trained on this log."""

    version: str
    until: int
    """The newest `received` it was trained on, microseconds UTC."""
    at: int
    """When it was trained, microseconds UTC."""


class TrainingStore(Protocol):
    """The models that were trained on a log, each once by its version."""

    def add_training(self, training: Training) -> None:
        """Note that a model was trained on this log."""
        ...

    def trainings(self) -> list[Training]:
        """Every model trained on this log, oldest first."""
        ...
