"""One look at a bundle: everything that is asked of it and of the log, put into one report."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from features.fold.fold import Fold
from features.replay.snapshots import Past
from models.bundle.reference import Reference
from training.evaluation.evaluation import Figure
from training.monitoring.alarms import (
    bundle_alarm,
    drift_alarms,
    over_previous_alarms,
    realised_alarms,
    standing,
    volume_alarms,
)
from training.monitoring.drift import drifts
from training.monitoring.realised import MOMENTS, Realised, given_by, realised_of, ripened, worse_by
from training.monitoring.report import Report
from training.monitoring.samples import Watched, reference_of, samples
from training.monitoring.volumes import events_until, volumes
from training.rows.dataset import Slice, sample, willing
from training.targets import Target

Since = Mapping[tuple[str, str], int]


def watch(
    fold: Fold, past: Past, watched: Watched, now: int, targets: Mapping[str, Target], *,
    reference: Reference | None = None, previous: Watched | None = None, since: Since | None = None, seed: int = 0,
) -> Report:  # fmt: skip
    """The report on a bundle as of `now`, the end of the log `past`.

    `targets` are those whose definitions are still what the bundle was trained for. Without a reference the log is
    replayed at the bundle's training, which gives the same unless something of it was erased since. `previous` is the
    champion before, `since` says from when alarms of an earlier report stand. The seed draws customers where there are
    too many to look at all.
    """
    chosen = sample(willing(fold, past, now), MOMENTS, seed)
    known = reference or reference_of(fold, chosen, watched.now, targets, watched.scorers)
    (newest,) = samples(fold, chosen, [now], targets, watched.scorers)
    rows, unjudged = _ripened(fold, chosen, watched, now, targets)
    found = drifts(known, newest)
    turned = tuple(realised_of(name, watched, each) for name, each in rows.items())
    before, over = _beside(watched, previous, rows)
    flow = volumes(past, now)
    alarms = chain(drift_alarms(found), realised_alarms(turned), over_previous_alarms(over), volume_alarms(flow))
    earlier, later = events_until(past, watched.now), events_until(past, now)
    return Report(
        now, watched.version, watched.now, len(newest), earlier, later - earlier, tuple(found), turned,
        before, over, tuple(flow), unjudged, alarms=standing(alarms, now, since or {}),
    )  # fmt: skip


def fault_report(
    past: Past, now: int, place: str, fault: str, *, damaged: bool, since: Since | None = None
) -> Report:  # fmt: skip
    """The report on a bundle that cannot be loaded: why, and what comes in meanwhile."""
    flow = volumes(past, now)
    alarms = standing([bundle_alarm(place, fault), *volume_alarms(flow)], now, since or {})
    return Report(now, "", now, volumes=tuple(flow), fault=fault, damaged=damaged, alarms=alarms)


def _ripened(
    fold: Fold, past: Past, watched: Watched, now: int, targets: Mapping[str, Target]
) -> tuple[dict[str, Slice], dict[str, str]]:
    """The ripened rows of each target that the bundle answers, and why there are none of the others."""
    rows, unjudged = {}, {}
    for name, target in targets.items():
        if name not in watched.scorers:
            continue
        found = ripened(fold, past, target, watched.now, now)
        if isinstance(found, Slice):
            rows[name] = found
        else:
            unjudged[name] = found
    return rows, unjudged


def _beside(
    watched: Watched, previous: Watched | None, rows: Mapping[str, Slice]
) -> tuple[tuple[Realised, ...], dict[str, Figure]]:
    """How the champion before would have done on the same rows that neither was trained on, and by how much the log
    loss is above its."""
    before, over = [], {}
    for name, each in rows.items():
        if previous is None or name not in previous.scorers:
            continue
        before.append(realised_of(name, previous, each))
        over[name] = worse_by(given_by(watched, name, each), given_by(previous, name, each), each)
    return tuple(before), over
