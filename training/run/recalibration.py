"""A champion at the level of today: its models as they are, their levels estimated anew from the newest outcomes.

No model is fitted but the plain one of the short question (`training.fitting.levels`), so that this may run every
night.
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
"""Log-odds by which a level must have moved, or its doubt, to be worth another bundle: half a point at 50 %."""


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """The levels of each target `before` and `after`; `version` names the new champion, empty where none was made."""

    before: dict[str, Level]
    after: dict[str, Level]
    version: str = ""

    @property
    def reason(self) -> str:
        """What moved most, in words."""
        if not self.after:
            return "No target of the champion is answered with a probability."
        moved = {name: _distance(self.before[name], level) for name, level in self.after.items()}
        name = max(moved, key=lambda name: moved[name])
        if not moved[name]:
            return "No level moved."
        before, after = (f"{each.shift:+.2f} ± {each.deviation:.2f}" for each in (self.before[name], self.after[name]))
        return f"The level of {name} moved most, from {before} to {after} in log-odds."


def recalibrate(
    log: EventLog, champion: Bundle, *, started: int, now: int | None = None, seed: int = 0, folder: Path,
    fold: Fold = JOURNEY, clock: Callable[[], int] | None = None,
) -> Recalibrated:  # fmt: skip
    """Estimate the levels of the champion in `folder` as if it were `now`, and install it where one moved.

    The arguments are those of `training.run.pipeline.train`. Models that the catalogue asks for otherwise by now stay
    as they are, and so do all models, cards and figures of the test: only levels change.
    """
    shop = read_shop(log, now, started, fold)
    fold.compile()
    scorers = {name: _levelled(name, scorer, champion, shop, seed) for name, scorer in champion.scorers.items()}
    before, after = ({name: each.level for name, each in some.items()} for some in (champion.scorers, scorers))
    found = Recalibrated(before, after)
    if not any(_distance(before[name], after[name]) > WORTH for name in after):
        return found
    manifest = replace(champion.manifest, created=iso(started), log_offset=shop.offset)
    bundle = champion.changed(manifest, {**champion.models, **scorers})
    # Before there is a bundle to be served: an erasure names every model that has seen the customer.
    log.add_training(Training(bundle.version, shop.end, started))
    governance = Governance(folder, fold, clock or (lambda: started))
    governance.install(bundle, champion=True, cause=Cause("recalibrate", found.reason))
    return replace(found, version=bundle.version)


def _levelled(name: str, scorer: Scorer, champion: Bundle, shop: Shop, seed: int) -> Scorer:
    """The scorer at the level of today, if it still means the same."""
    target = targets().get(name)
    if target is None or rival_of(target, champion) is None:
        return scorer
    found = gathered(target, shop.fold, shop.past, shop.start, shop.end, seed=seed)
    return ProbabilityResult.as_of_end(scorer, found)


def _distance(before: Level, after: Level) -> float:
    """By how much a level or its doubt moved, whichever moved more."""
    return max(abs(after.shift - before.shift), abs(after.deviation - before.deviation))
