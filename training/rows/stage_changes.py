"""The changes of stage of customers, as computed by the fold: read after every event, and at every second at which a
live cart or advocacy could expire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.aggregates import reading, stages
from features.aggregates.kernels import ADVOCACY_SECONDS, CART_SECONDS
from features.events import PAYMENT_FAIL, REFER, REVIEW, SECOND, SHARE, SURVEY_NPS, TOUCHPOINTS, Stage, stage_of
from features.fold.feature_set import FeatureSet
from features.fold.fold import Fold
from features.replay.replay import Cutoffs, replay_at
from features.replay.snapshots import Past, known_at


class _Position(FeatureSet):
    """The stage only"""

    stage = reading(stages(TOUCHPOINTS), "current")


_STAGE = Fold(_Position)
"""A fold that is small enough to be read at every event of a log."""

_CART = [int(kind) for kind in TOUCHPOINTS.kinds if stage_of(kind) is Stage.PURCHASE or kind is PAYMENT_FAIL]
_ADVOCACY = [int(kind) for kind in (REVIEW, SHARE, REFER, SURVEY_NPS)]


def changes(past: Past, end: int) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int8]]:
    """Every change of stage up to `end`: the profile (as merged by then), the time in microseconds, the stage entered.

    They are ordered by profile, then time. A profile enters its first stage with its first event.
    """
    known = known_at(past, end)
    owner = np.repeat(np.arange(len(known.customers)), np.diff(known.starts))
    received = known.events["received"]
    owners, times = [owner], [received]
    for kinds, seconds in ((_CART, CART_SECONDS), (_ADVOCACY, ADVOCACY_SECONDS)):
        chosen = np.isin(known.events["kind"], kinds)
        owners.append(owner[chosen])
        times.append((received[chosen] // SECOND + seconds) * SECOND)
    whose, when = np.concatenate(owners), np.concatenate(times)
    whose, when = whose[when <= end], when[when <= end]
    order = np.lexsort((when, whose))
    starts = np.searchsorted(whose[order], np.arange(len(known.customers) + 1))
    read = replay_at(_STAGE, known, Cutoffs(when[order], starts))
    defined = ~np.isnan(read.features[:, 0])
    person, at, stage = read.customer[defined], read.cutoff[defined], read.features[defined, 0].astype(np.int8)
    changed = np.ones(len(stage), bool)
    changed[1:] = (np.diff(stage) != 0) | (np.diff(person) != 0)
    return person[changed], at[changed], stage[changed]
