"""Studies in MLflow: a run for each study in its target's experiment, and a run under it for each trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from training.tracking.store import open_store, running, write_numbers


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its settings, the log loss of each fold that it evaluated, and whether it was pruned."""

    number: int
    parameters: Mapping[str, object]
    losses: tuple[float, ...]
    pruned: bool

    @property
    def loss(self) -> float:
        """The mean log loss of the folds."""
        return sum(self.losses) / len(self.losses)


class Trials:
    """Writes the trials of one study as they end; `at` is microseconds UTC."""

    def __init__(self, run_id: str, target: str, at: int) -> None:
        self.run_id, self._target, self._at = run_id, target, at

    @classmethod
    @contextmanager
    def of(cls, target: str, name: str, at: int) -> Iterator[Trials]:
        """A new run for a study, or for the continuation of one."""
        open_store()
        with running(name, target) as run_id:
            yield cls(run_id, target, at)

    def write(self, trial: Trial) -> None:
        """Write a trial as a run under that of the study."""
        with running(f"trial {trial.number}", self._target, nested=True) as run_id:
            folds = {f"fold_{number}/log_loss": loss for number, loss in enumerate(trial.losses, start=1)}
            tags = {"pruned": str(trial.pruned).lower()}
            write_numbers(run_id, trial.parameters, {"log_loss": trial.loss, **folds}, tags, self._at)

    def conclude(self, parameters: Mapping[str, object], metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Write the result of the study."""
        write_numbers(self.run_id, parameters, metrics, tags, self._at)
