"""The report on a bundle: drift, realised outcomes and volumes, with their alarms."""

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
    volume_alarms,
    with_since,
)
from training.monitoring.drift import drifts
from training.monitoring.realised import CUTOFFS, Realised, given_by, realised_of, ripened, worse_by
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

    `targets` are those whose definitions have not changed since the bundle's training. Without a reference the log is
    replayed as of the training, which gives the same unless events were erased since. `previous` is the previous
    champion, `since` are the times of alarms of an earlier report. The seed draws a sample where there are too many
    customers.
    """
    chosen = sample(willing(fold, past, now), CUTOFFS, seed)
    known = reference or reference_of(fold, chosen, watched.now, targets, watched.scorers)
    (newest,) = samples(fold, chosen, [now], targets, watched.scorers)
    rows, unjudged = _ripened(fold, chosen, watched, now, targets)
    drifted = drifts(known, newest)
    turned = tuple(realised_of(name, watched, ripe) for name, ripe in rows.items())
    before, over = _beside(watched, previous, rows)
    flow = volumes(past, now)
    alarms = chain(drift_alarms(drifted), realised_alarms(turned), over_previous_alarms(over), volume_alarms(flow))
    earlier, later = events_until(past, watched.now), events_until(past, now)
    return Report(
        now, watched.version, watched.now, len(newest), earlier, later - earlier, tuple(drifted), turned,
        before, over, tuple(flow), unjudged, alarms=with_since(alarms, now, since or {}),
    )  # fmt: skip


def fault_report(
    past: Past, now: int, place: str, fault: str, *, damaged: bool, since: Since | None = None
) -> Report:  # fmt: skip
    """The report on a bundle that cannot be loaded: the reason, and the volumes of events."""
    flow = volumes(past, now)
    alarms = with_since([bundle_alarm(place, fault), *volume_alarms(flow)], now, since or {})
    return Report(now, "", now, volumes=tuple(flow), fault=fault, damaged=damaged, alarms=alarms)


def _ripened(
    fold: Fold, past: Past, watched: Watched, now: int, targets: Mapping[str, Target]
) -> tuple[dict[str, Slice], dict[str, str]]:
    """The ripened rows of each target that the bundle answers, and why the others have none."""
    rows, unjudged = {}, {}
    for name, target in targets.items():
        if name not in watched.scorers:
            continue
        result = ripened(fold, past, target, watched.now, now)
        if isinstance(result, Slice):
            rows[name] = result
        else:
            unjudged[name] = result
    return rows, unjudged


def _beside(
    watched: Watched, previous: Watched | None, rows: Mapping[str, Slice]
) -> tuple[tuple[Realised, ...], dict[str, Figure]]:
    """The results of the previous champion on the same rows, on which neither was trained, and the log loss less that
    of the previous champion."""
    before, over = [], {}
    for name, ripe in rows.items():
        if previous is None or name not in previous.scorers:
            continue
        before.append(realised_of(name, previous, ripe))
        over[name] = worse_by(given_by(watched, name, ripe), given_by(previous, name, ripe), ripe)
    return tuple(before), over
