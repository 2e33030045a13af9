"""waypost recalibrate: the champion at the level of today, without a training."""

from __future__ import annotations

from waypost.console import JsonOption, StoreOption, clock, needs, print_json, print_line, print_table
from waypost.learning import SeedOption, step_back
from waypost.places import bundle_folder, existing_log


def recalibrate(seed: SeedOption = 0, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Estimate anew how likely all customers are together, from the newest outcomes; the models stay as they are.

    Cheap enough for every night. A new champion is made where a level moved, and its move is in the promotion log.
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
        found = run(log, champion, started=clock(), seed=seed, folder=folder, clock=clock)
    finally:
        log.close()
    if as_json:
        levels = {
            name: {"before": found.before[name].to_fields(), "after": level.to_fields()}
            for name, level in found.after.items()
        }
        print_json({"version": found.version or None, "reason": found.reason, "levels": levels})
        return
    rows = [
        [name, *(f"{each.shift:+.3f} ± {each.deviation:.3f}" for each in (found.before[name], level))]
        for name, level in found.after.items()
    ]
    print_table("Levels, in log-odds", ["target", "before", "now"], rows)
    print_line(
        f"Champion {found.version}: {found.reason}"
        if found.version
        else f"The champion stays, as no level moved by more than {WORTH} in log-odds. {found.reason}"
    )
