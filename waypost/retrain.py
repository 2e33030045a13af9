"""waypost retrain: train when there is a reason, or roll back when the champion fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waypost.console import JsonOption, StoreOption, clock, needs, print_json, print_line, steps
from waypost.learning import SeedOption, check_champion, report_training, step_back
from waypost.models import governed, move_fields, print_move
from waypost.places import bundle_folder, existing_log

if TYPE_CHECKING:
    from models.bundle.governance import Governance
    from models.bundle.promotion_log import Cause, Move
    from training.monitoring import Action
    from training.run.result import TrainingResult


@dataclass(frozen=True, slots=True)
class Done:
    """What was done (`nothing`, `retrain`, `roll back`) and why, with the move of the alias or the training."""

    step: str
    reason: str
    move: Move | None = None
    training: TrainingResult | None = None

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "step": self.step,
            "reason": self.reason,
            "move": move_fields(self.move) if self.move else None,
            "training": self.training.to_json() if self.training else None,
        }


def carry_out(action: Action, governance: Governance, train: Callable[[Cause], TrainingResult]) -> Done:
    """Do what the monitor calls for; without an earlier champion, a rollback becomes a training."""
    from models.bundle.governance import NothingToFallBackTo
    from models.bundle.promotion_log import Cause

    reason = f"{action.cause}: {action.words}" if action.cause else action.words
    if action.step == "roll back":
        try:
            go_back = governance.restore if action.cause == "bundle" else governance.roll_back
            return Done("roll back", reason, go_back(reason))
        except NothingToFallBackTo:
            reason = f"{reason} There was no earlier champion to go back to."
    if action.step == "nothing":
        return Done("nothing", reason)
    return Done("retrain", reason, training=train(Cause("retrain", reason)))


def retrain(
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Only if the monitor finds a reason: drift, decay, volume, age.")
    ] = False,
    seed: SeedOption = 0,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train every target again, or go back to an earlier champion where that helps; print the reason."""
    from models.bundle.promotion_log import Cause

    def train(cause: Cause) -> TrainingResult:
        return _train(store, seed, cause)

    if if_needed:
        governance = governed()
        done = carry_out(_action(store, governance), governance, train)
    else:
        reason = "asked for on the command line"
        done = Done("retrain", reason, training=train(Cause("retrain", reason)))
    if as_json:
        print_json(done.to_json())
    else:
        print_line(f"{done.step}: {done.reason}")
        if done.training:
            report_training(done.training)
        if done.move:
            print_move(done.move, as_json=False)
    if done.training:
        check_champion(bundle_folder())


def _action(store: str | None, governance: Governance) -> Action:
    """The action to take; a missing or damaged champion needs no monitoring."""
    from models.bundle.bundle import MANIFEST
    from waypost.monitor import advice

    with needs("training"):
        from training.monitoring import Action
    damage = governance.damage()
    if damage:
        return Action("roll back", "bundle", damage)
    if not (bundle_folder() / MANIFEST).exists():
        return Action("retrain", "", "There is no champion yet.")
    return advice(store)


def _train(store: str | None, seed: int, cause: Cause) -> TrainingResult:
    with needs("training"):
        from training.run.pipeline import train
    log = existing_log(store)
    step_back()
    try:
        with steps() as progress:
            return train(
                log, started=clock(), seed=seed, folder=bundle_folder(), cause=cause, clock=clock, progress=progress
            )
    finally:
        log.close()
