"""waypost recalibrate: adjust the champion's levels to the newest outcomes, without a training."""

from __future__ import annotations

from waypost.console import JsonOption, StoreOption, clock, needs, print_json, print_line, print_table
from waypost.learning import SeedOption, step_back
from waypost.places import bundle_folder, existing_log


def recalibrate(seed: SeedOption = 0, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Estimate the levels again, the overall probability of every target, from the newest outcomes; the models stay.

    Cheap enough for every night. If a level moved, a new champion is made and recorded in the promotion log.
    """
    from features.journey import JOURNEY
    from models.bundle.bundle import Bundle

    with needs("training"):
        from training.run.recalibration import WORTH
        from training.run.recalibration import recalibrate as run
    folder, log = bundle_folder(), existing_log(store)
    step_back()
    try:
        champion = Bundle.load(folder, JOURNEY.fingerprint, JOURNEY.names)
        outcome = run(log, champion, started=clock(), seed=seed, folder=folder, clock=clock)
    finally:
        log.close()
    if as_json:
        levels = {
            name: {"before": outcome.before[name].to_fields(), "after": level.to_fields()}
            for name, level in outcome.after.items()
        }
        print_json({"version": outcome.version or None, "reason": outcome.reason, "levels": levels})
        return
    rows = [
        [name, *(f"{estimate.shift:+.3f} ± {estimate.deviation:.3f}" for estimate in (outcome.before[name], level))]
        for name, level in outcome.after.items()
    ]
    print_table("Levels, in log-odds", ["target", "before", "now"], rows)
    print_line(
        f"Champion {outcome.version}: {outcome.reason}"
        if outcome.version
        else f"The champion stays, as no level moved by more than {WORTH} in log-odds. {outcome.reason}"
    )
