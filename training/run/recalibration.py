"""Recalibration: the champion's models stay as they are, and their levels are estimated from the newest outcomes.

Only the simple model of the short question is fitted (`training.fitting.levels`), so that this can run every night.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from features.fold.fold import Fold
from features.journey import JOURNEY
from features.log.contract import EventLog, Training
from features.times import iso
from models.bundle.bundle import Bundle
from models.bundle.governance import Governance
from models.bundle.promotion_log import Cause
from models.prediction.level import Level
from models.prediction.scorer import Scorer
from training.rows.dataset import gathered
from training.rows.shop import Shop, read_shop
from training.run.forms.probability import ProbabilityResult
from training.run.promotion import rival_of
from training.targets import targets

WORTH = 0.02
"""The least change of a level or its deviation for a new bundle, in log-odds: half a percentage point at 50 %."""


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """The levels of each target `before` and `after`; `version` names the new champion, empty where none was made."""

    before: dict[str, Level]
    after: dict[str, Level]
    version: str = ""

    @property
    def reason(self) -> str:
        """The level that moved most, in words."""
        if not self.after:
            return "No target of the champion is answered with a probability."
        moved = {name: _distance(self.before[name], level) for name, level in self.after.items()}
        name = max(moved, key=lambda name: moved[name])
        if not moved[name]:
            return "No level moved."
        before, after = (
            f"{level.shift:+.2f} ± {level.deviation:.2f}" for level in (self.before[name], self.after[name])
        )
        return f"The level of {name} moved most, from {before} to {after} in log-odds."


def recalibrate(
    log: EventLog, champion: Bundle, *, started: int, now: int | None = None, seed: int = 0, folder: Path,
    fold: Fold = JOURNEY, clock: Callable[[], int] | None = None,
) -> Recalibrated:  # fmt: skip
    """Estimate the levels of the champion in `folder` as of `now`, and install a new bundle where one moved.

    The arguments are those of `training.run.pipeline.train`. Only levels change: models, cards and figures of the test
    stay as they are. The level of a target whose definition has changed since the training stays, too.
    """
    shop = read_shop(log, now, started, fold)
    fold.compile()
    scorers = {name: _levelled(name, scorer, champion, shop, seed) for name, scorer in champion.scorers.items()}
    before, after = ({name: scorer.level for name, scorer in some.items()} for some in (champion.scorers, scorers))
    result = Recalibrated(before, after)
    if not any(_distance(before[name], after[name]) > WORTH for name in after):
        return result
    manifest = replace(champion.manifest, created=iso(started), log_offset=shop.offset)
    bundle = champion.changed(manifest, {**champion.models, **scorers})
    # Before the bundle can be served: an erasure lists every model that was trained on the customer's events.
    log.add_training(Training(bundle.version, shop.end, started))
    governance = Governance(folder, fold, clock or (lambda: started))
    governance.install(bundle, champion=True, cause=Cause("recalibrate", result.reason))
    return replace(result, version=bundle.version)


def _levelled(name: str, scorer: Scorer, champion: Bundle, shop: Shop, seed: int) -> Scorer:
    """The scorer at today's level, if the target's definition has not changed."""
    target = targets().get(name)
    if target is None or rival_of(target, champion) is None:
        return scorer
    rows = gathered(target, shop.fold, shop.past, shop.start, shop.end, seed=seed)
    return ProbabilityResult.as_of_end(scorer, rows)


def _distance(before: Level, after: Level) -> float:
    """The change of the level or of its deviation, whichever is larger."""
    return max(abs(after.shift - before.shift), abs(after.deviation - before.deviation))
